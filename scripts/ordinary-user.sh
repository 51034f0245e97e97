#!/bin/sh
# Shows what an ordinary user gets: from a clone to a pushed image for three processors, on a machine with no handlers.
#
#   sh scripts/ordinary-user.sh [--fast]
#
# As root: makes a user, a registry, and a user namespace in which everybody is who they are and no emulator is registered; in
# it the user clones, builds and pushes. At the end the machine's own table, mounts and control groups are compared with what
# they were. --fast takes the packages of this checkout instead of installing them again.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "run it as root: it makes a user" >&2; exit 1; }
fast=${1-}
[ -z "$fast" ] || [ "$fast" = --fast ] || { echo "usage: sh scripts/ordinary-user.sh [--fast]" >&2; exit 2; }
table=/proc/sys/fs/binfmt_misc

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }

# What a build must leave as it was. Others may mount and start things meanwhile: only what could be Kiln's is looked at.
machine() {
  for file in "$table"/*; do
    [ "$file" = "$table/register" ] || { echo "$file:" && cat "$file"; }
  done
  grep -E 'kiln|binfmt' /proc/self/mountinfo || :
  find /sys/fs/cgroup -type d -name 'kiln*'
}

user=kiln-try-$$
work=$(mktemp -d)
chmod 755 "$work"
useradd --create-home --home-dir "$work/home" --shell /bin/sh "$user"
cleanup() {
  [ -z "${registry-}" ] || kill "$registry" 2>/dev/null || :
  rm -rf "$work"
  userdel "$user" 2>/dev/null || :
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM

machine >"$work/before"
say "The machine's table of emulators before: $(sha256sum <"$work/before" | cut -c1-16)"
find "$table" -mindepth 1 ! -name register ! -name status -printf '%f\n' | sort | xargs echo

(cd "$checkout" && exec node_modules/.bin/tsx scripts/ordinary-user-registry.ts "$work/registry") >"$work/address" &
registry=$!
while [ ! -s "$work/address" ]; do sleep 0.2; done
address=$(cat "$work/address")
mkdir -p "$work/home/.config/kiln"
printf '[registry."docker.io"]\nmirrors = ["%s"]\n' "$address" >"$work/home/.config/kiln/kiln.toml"
# The checkout is somebody else's.
printf '[safe]\n\tdirectory = *\n' >"$work/home/.gitconfig"
chown -R "$user:" "$work/home"

# Distributions open these devices to everybody.
mknod --mode=666 "$work/tun" c 10 200
mknod --mode=666 "$work/fuse" c 10 229

cat >"$work/session.sh" <<'SESSION'
set -eu
do_it() { printf '\n\033[1m$ %s\033[0m\n' "$*"; sh -c "$*"; }
cd "$HOME"
do_it id
do_it 'ls /proc/sys/fs/binfmt_misc'
do_it "git clone -q $CHECKOUT kiln"
cd kiln
if [ "$FAST" = --fast ]; then
  ln -s "$CHECKOUT/node_modules" node_modules
  do_it 'node_modules/.bin/tsx scripts/bundle.ts --no-lib'
else
  do_it 'npm ci --no-audit --no-fund --loglevel=error'
  do_it 'npm run build --silent'
fi
do_it 'bin/kiln doctor --offline' || echo "(exit code $?)"
do_it 'bin/kiln build --plan --platform linux/amd64,linux/arm64,linux/arm/v7 examples/hello'
do_it "bin/kiln build --platform linux/amd64,linux/arm64,linux/arm/v7 -t $ADDRESS/hello:1 --push examples/hello"
do_it "bin/kiln imagetools inspect $ADDRESS/hello:1"
do_it "bin/kiln run --platform linux/arm64 $ADDRESS/hello:1 linux/arm64"
do_it "bin/kiln run --platform linux/arm/v7 $ADDRESS/hello:1 linux/arm/v7"
do_it 'ls /proc/sys/fs/binfmt_misc'
SESSION

# In the namespace: a table of its own, which is empty, the open devices, then the user.
cat >"$work/inside.sh" <<'INSIDE'
set -eu
read -r _
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
[ ! -e /dev/net/tun ] || mount --bind "$2/tun" /dev/net/tun
[ ! -e /dev/fuse ] || mount --bind "$2/fuse" /dev/fuse
exec setpriv --reuid="$1" --regid="$1" --clear-groups --inh-caps=-all -- \
  env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$2/home" USER="$1" TERM="${TERM-dumb}" \
  CHECKOUT="$3" ADDRESS="$4" FAST="$5" sh "$2/session.sh"
INSIDE
mkfifo "$work/mapped"
unshare --user --mount sh "$work/inside.sh" "$user" "$work" "$checkout" "$address" "$fast" <"$work/mapped" &
session=$!
exec 3>"$work/mapped"
while [ "$(readlink "/proc/$session/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.1; done
for map in uid_map gid_map; do echo '0 0 4294967295' >"/proc/$session/$map"; done
echo mapped >&3
exec 3>&-
status=0
wait "$session" || status=$?

machine >"$work/after"
say "The machine's table of emulators after: $(sha256sum <"$work/after" | cut -c1-16)"
# Where other builds of Kiln run meanwhile, their groups and mounts show here.
diff "$work/before" "$work/after" && echo "byte for byte as before"
exit "$status"
