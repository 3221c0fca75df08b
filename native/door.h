/* See door.c. Both return the exit status. */
int door(unsigned uid, unsigned gid, const char *folder);
int through(const char *folder, const char *pid, const char *session);
