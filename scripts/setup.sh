#!/bin/sh
# Everything a fresh clone needs before `npm run demo` or `npm test`: packages, the two C programs, the bundles.
# Cheap when nothing changed (0.4 s), safe to run several times at once, from any folder. Needs npm and a C compiler.
set -eu
cd -- "$(dirname -- "$0")/.."

fail() {
  printf 'setup: %s\n' "$1" >&2
  exit 1
}

# The lock is on the folder itself, so that it leaves no file behind and ends with its holder.
exec 9<scripts
flock 9

# npm writes this file last, so a set-up that was interrupted starts again.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  command -v npm >/dev/null || fail 'npm is missing (Debian: apt-get install npm)'
  echo 'setup: installing packages'
  # Install scripts are not needed by anything here, and code of others does not run unasked.
  # Not `npm ci`: it refuses a lock file without the packages of other platforms that a registry does not have.
  npm install --no-save --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null 9<&- ||
    fail 'npm install failed'
  touch "$installed"
fi

case $(uname -m) in
  x86_64) architecture=x64 ;;
  aarch64) architecture=arm64 ;;
  *) fail "no Node 24 package for $(uname -m): only x86_64 and aarch64 are supported" ;;
esac
node=node_modules/node-linux-$architecture/bin/node
[ -x "$node" ] || fail "$node is missing: remove node_modules and run this again"

mkdir -p bin dist
sh native/build.sh 9<&- || fail 'the C programs could not be built'
"$node" scripts/build.ts 9<&- || fail 'the bundles could not be built'
