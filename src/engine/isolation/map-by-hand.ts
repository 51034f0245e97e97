// Many owners where unshare(1) knows no --map-auto (util-linux before 2.38): newuidmap and newgidmap, called for ourselves.
import { readFileSync } from "node:fs";
import { type RangeOwner, rangesOf } from "./id-ranges.ts";
import { findProgram } from "./programs.ts";

/**
 * The programs that map ids must run outside, when this process is inside: a child of the shell waits for that, maps, and
 * says so. It is nobody's child, and ends when this process does. Arguments: unshare, newuidmap, newgidmap, their maps,
 * then what is to be started, which keeps this process's id, input and output.
 */
const script = `set -e
dir=$(mktemp -d)
mkfifo "$dir/inside" "$dir/mapped"
exec 7<>"$dir/inside" 6<"$dir/inside" 8>"$dir/inside" 7>&-
exec 7<>"$dir/mapped" 5<"$dir/mapped" 9>"$dir/mapped" 7>&-
rm -rf "$dir"
pid=$$
(
  {
    read -r _ <&6 && "$2" "$pid" $4 && "$3" "$pid" $5 && echo mapped >&9
  } <&- >&- 5<&- 8>&- &
)
exec 6<&- 9>&-
unshare=$1
shift 5
[ "$1" != -- ] || shift
exec "$unshare" --user --mount --cgroup -- /bin/sh -c '
echo inside >&8
read -r answer <&5 || exit 1
exec 5<&- 8>&-
exec "$@"' sh "$@"`;

/** To be followed by the program and its arguments, or by `--` and those. */
export function mapByHand(unshare: string, owner: RangeOwner, path: string): readonly string[] {
  const map = (own: number, file: string) => {
    let inside = 1;
    const lent = rangesOf(readFileSync(file, "utf8"), owner).map(({ start, count }) => {
      const line = [inside, start, count];
      inside += count;
      return line;
    });
    return [[0, own, 1], ...lent].flat().join(" ");
  };
  const [newuidmap = "newuidmap", newgidmap = "newgidmap"] = ["newuidmap", "newgidmap"].map(
    (name) => findProgram(name, path),
  );
  const maps = [map(owner.uid, "/etc/subuid"), map(process.getegid?.() ?? 0, "/etc/subgid")];
  return ["/bin/sh", "-c", script, "sh", unshare, newuidmap, newgidmap, ...maps];
}
