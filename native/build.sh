#!/bin/sh
# Builds the two C programs: native/launcher.c -> bin/homcc, native/runner.c and its parts -> dist/runner.
#
# Only what is older than its source is built, and it takes its place by a rename: builds that run meanwhile keep the
# old program. Without a C compiler bin/homcc becomes a script that starts the launcher's TypeScript twin; homccd then
# has no job runner and says so.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd -P)
warnings="-Wall -Wextra"
mkdir -p "$root/bin" "$root/dist"
trap 'rm -f "$root/bin/homcc.$$" "$root/dist/runner.$$"' EXIT

find_compiler() {
  for name in ${CC:-} cc gcc clang; do
    if command -v "$name" >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
}

# runner_is_current: newer than each of its sources.
runner_is_current() {
  for part in "$root"/native/*.[ch]; do
    [ "$part" = "$root/native/launcher.c" ] || is_current "$root/dist/runner" "$part" || return
  done
}

# is_current PROGRAM SOURCE: PROGRAM is newer than its SOURCE and than this script, and no script itself.
is_current() {
  [ -x "$1" ] && [ "$1" -nt "$2" ] && [ "$1" -nt "$root/native/build.sh" ] && [ "$(head -c 2 "$1")" != "#!" ]
}

# compile SOURCE PROGRAM FLAG...: a warning that only this user's compiler knows must not leave them without homcc.
compile() {
  source=$1 program=$2
  shift 2
  # shellcheck disable=SC2086
  "$cc" -O2 $warnings -Werror "$@" "$source" -o "$program.$$" ||
    "$cc" -O2 $warnings "$@" "$source" -o "$program.$$" || return
  mv -f "$program.$$" "$program"
}

link_runner() {
  compile "$root/native/runner.c" "$root/dist/runner" "$@" "$root/native/door.c" "$root/native/confine.c" "$root/native/watch.c"
}

compile_runner() {
  # Static, so that it runs in a root that has no C library of its own.
  if link_runner -static >"$root/dist/runner.log" 2>&1; then
    rm -f "$root/dist/runner.log"
    return
  fi
  cat "$root/dist/runner.log" >&2
  rm -f "$root/dist/runner.log"
  echo "native/build.sh: no static C library, dist/runner is linked dynamically" >&2
  link_runner
}

write_script() {
  cat >"$root/bin/homcc.$$" <<'SCRIPT'
#!/bin/sh
# homcc's launcher on a machine without a C compiler: dist/homcc.mjs does the same, slower.
name=${0##*/}
self=$(readlink -f -- "$0")
dist=${self%/*}/../dist

# A link whose name is a compiler's, or a program's that PATH has too, stands for that program.
is_masquerade() {
  case $name in
  homcc*) return 1 ;;
  *cc* | *++* | *clang*) return 0 ;;
  esac
  rest=$PATH:
  while [ -n "$rest" ]; do
    program=${rest%%:*}/$name
    rest=${rest#*:}
    if [ -f "$program" ] && [ -x "$program" ] && ! [ "$program" -ef "$self" ]; then return 0; fi
  done
  return 1
}

# A number that is not open means nothing, but Node may have one of its own under it.
case ${UNCACHED_ERR_FD:-} in
'' | *[!0-9]*) ;;
*) [ -e "/proc/self/fd/$UNCACHED_ERR_FD" ] || unset UNCACHED_ERR_FD ;;
esac
if is_masquerade; then
  export _HOMCC_THROUGH_LINK=1
  set -- "$name" "$@"
fi
exec "$dist/node" "$dist/homcc.mjs" "$@"
SCRIPT
  chmod 755 "$root/bin/homcc.$$"
  mv -f "$root/bin/homcc.$$" "$root/bin/homcc"
}

cc=$(find_compiler)
if [ -z "$cc" ]; then
  echo "native/build.sh: no C compiler: bin/homcc will be slower, and homccd has no job runner" >&2
  write_script
  exit 0
fi
if ! is_current "$root/bin/homcc" "$root/native/launcher.c" && ! compile "$root/native/launcher.c" "$root/bin/homcc"; then
  echo "native/build.sh: $cc cannot build the launcher: bin/homcc will be slower" >&2
  write_script
fi
if [ -f "$root/native/runner.c" ]; then
  runner_is_current || compile_runner
fi
