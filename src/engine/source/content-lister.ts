// What a content digest was made of, path by path, for people who ask why it changed. Bounded: it is kept for each step.
import { digestOf } from "../../base/index.ts";
import { isPortableXattr, type Xattrs } from "../../storage/snapshot/index.ts";

/** Of more paths nobody is told each: the first ones must do. */
const mostPaths = 200_000;

/** Hexadecimal digits of a file's digest that are kept. */
const shortDigest = 12;

/** Collects what counts of each path: `file 644 0:0 1a2b3c4d5e6f`, `symlink - 0:0 target`. */
export class ContentLister {
  readonly #most: number;
  #paths = new Map<string, string>();
  #isCut = false;
  #later: (() => void)[] = [];

  constructor(most: number = mostPaths) {
    this.#most = most;
  }

  /** Before a digest is made (again). */
  restart(): void {
    this.#paths = new Map();
    this.#isCut = false;
    this.#later = [];
  }

  /** More would not be listed: no need to go on. */
  get isFull(): boolean {
    return this.#isCut;
  }

  add(
    path: string,
    stat: {
      readonly type: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    },
    content: string,
    xattrs?: Xattrs,
  ): void {
    if (this.#paths.size >= this.#most) this.#isCut = true;
    if (this.#isCut) return;
    const { type, mode, uid, gid } = stat;
    const bits = type === "symlink" ? "-" : mode.toString(8);
    const short = type === "file" ? content.replace(/^sha256:/, "").slice(0, shortDigest) : content;
    const more = xattrs === undefined || xattrs.size === 0 ? "" : attributesOf(xattrs);
    this.#paths.set(path, `${type} ${bits} ${uid}:${gid} ${short}${more}`.trimEnd());
  }

  /** For files that can be looked at again without reading them: done when the listing is asked for. */
  addLater(list: () => void): void {
    this.#later.push(list);
  }

  /** Undefined where nothing was looked at. */
  listing(): { readonly paths: ReadonlyMap<string, string>; readonly isCut: boolean } | undefined {
    for (const list of this.#later.splice(0)) if (!this.isFull) list();
    return this.#paths.size === 0 ? undefined : { paths: this.#paths, isCut: this.#isCut };
  }
}

/** Extended attributes in short: that they have changed is to be seen. */
function attributesOf(xattrs: Xattrs): string {
  const counted = [...xattrs].filter(([name]) => isPortableXattr(name));
  if (counted.length === 0) return "";
  const text = counted
    .map(([name, value]) => `${name} ${digestOf(value)}`)
    .sort()
    .join("\n");
  return ` xattrs:${digestOf(text).slice("sha256:".length).slice(0, shortDigest)}`;
}
