# Part of the maintainer scripts of both packages: what an administrator of homcc 1.x wrote into /etc/homcc stays,
# without a question from dpkg, whether 1.x owned the file, or owned it as a conffile, or did not know it.
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
