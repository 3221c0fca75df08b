/* See confine.c. They give 0, or -1 with errno; a kernel that lacks the means is no failure. */
void prepare_filter(void);
int filter_calls(void);
int files_can_be_confined(void);
int confine_files(const char *folder, char **readable, const char *program);
int give_up_capabilities(unsigned long kept);
void close_descriptors_at_exec(void);
