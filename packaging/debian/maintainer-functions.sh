# Functions of the maintainer scripts of both packages.

# What an administrator of homcc 1.x wrote into /etc/homcc stays, without a question from dpkg, whether 1.x owned the file, or
# owned it as a conffile, or did not know it.
# dpkg asks nothing about a conffile whose text on disk is the one it brings, so that text lies there for a moment.

keep_configuration() {
  if dpkg --compare-versions "${1:-0}" ge 2.0.0~; then return; fi
  for name in hosts homcc.conf; do
    file=/etc/homcc/$name
    if [ ! -f "$file" ] || [ -e "$file.homcc-1" ]; then continue; fi
    cp -p "$file" "$file.homcc-1"
  done
}

restore_configuration() {
  for name in hosts homcc.conf; do
    file=/etc/homcc/$name
    if [ -e "$file.homcc-1" ]; then mv -f "$file.homcc-1" "$file"; fi
  done
}

# The two packages of 1.x have files in common, of which dpkg knows that the one that was installed last has them, and which
# it removes with that one: the other would fail in every compile. keep_shared_files THIS OTHER puts them aside,
# restore_shared_files OTHER back. They go with the last 1.x that is replaced.
python_files=/usr/lib/python3/dist-packages/homcc
shared_files=/var/lib/homcc-1-shared.tar

is_first_version() {
  case $(dpkg-query --show --showformat='${db:Status-Status} ${Version}' "$1" 2>/dev/null || true) in
  'installed 1.'* | 'installed 0.'*) return 0 ;;
  *) return 1 ;;
  esac
}

keep_shared_files() {
  if ! is_first_version "$2"; then return 0; fi
  dpkg-query --listfiles "$1" | grep "^$python_files/" | while read -r file; do
    if [ -f "$file" ] && dpkg-query --listfiles "$2" | grep -qxF "${file%/*}"; then printf '%s\n' "$file"; fi
  done | tar --create --absolute-names --file=$shared_files --files-from=-
}

restore_shared_files() {
  if [ -e $shared_files ]; then
    tar --extract --absolute-names --skip-old-files --file=$shared_files
    rm -f $shared_files
  fi
  if ! is_first_version "$1"; then rm -rf $python_files; fi
}

# homcc.conf is read by both programs, and a conffile can be of one package alone: so each makes it where there is none,
# and the one that is purged last removes it.
make_configuration() {
  if [ ! -e /etc/homcc/homcc.conf ]; then cp "$1" /etc/homcc/homcc.conf; fi
}

purge_configuration() {
  other=$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)
  case $other in
  '' | not-installed) rm -f /etc/homcc/homcc.conf ;;
  esac
  if [ -d /etc/homcc ]; then rmdir --ignore-fail-on-non-empty /etc/homcc; fi
}

# end_processes PROGRAM: by the file they run, which also tells them from those of a container with the same path.
end_processes() {
  for process in /proc/[0-9]*; do
    if [ "$process/exe" -ef "$1" ]; then kill "${process#/proc/}" 2>/dev/null || true; fi
  done
}
