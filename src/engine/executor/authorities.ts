// What a step trusts: the authorities of its own file system and that of a proxy, for as long as the step runs.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { AsyncStack, certificateBundles, log, resolveInRoot } from "../../base/index.ts";
import {
  applyTime,
  applyXattrs,
  type Mount,
  mountAt,
  readXattrs,
} from "../../storage/snapshot/index.ts";
import type { ExecMount } from "./executor.ts";

const debug = log("executor");

/** Of a bundle, in bytes. */
const maxBundle = 10 << 20;

/** Outside of all layers; for programs that have to be told where to look. */
const namedBundle = "/dev/.kiln-ca.crt";

/** Who looks where: OpenSSL and what is built on it, Node.js, curl, Python's requests, git. */
export const trustEnvironment: readonly string[] = [
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE",
  "GIT_SSL_CAINFO",
].map((name) => `${name}=${namedBundle}`);

/** A root file system in which an authority is trusted. Dispose it when nothing is mounted of it any more. */
export interface TrustingRoot extends AsyncDisposable {
  readonly rootfs: readonly Mount[];
  readonly mounts: readonly ExecMount[];
}

interface Bundle {
  /** Absolute, without links, as seen from inside. */
  readonly path: string;
  readonly text: string;
}

/**
 * Adds `authority` (PEM) to the bundles that `rootfs` has. Where that is an overlay, they come as one more layer below what
 * the step writes, so that the step can replace them as ever and its own layer has no trace of it; else they are mounted
 * over. `directory` exists and is the step's own.
 */
export async function trustAuthority(
  authority: string,
  rootfs: readonly Mount[],
  directory: string,
): Promise<TrustingRoot> {
  await using stack = new AsyncStack();
  const [mount] = rootfs;
  const isOverlay = mount?.type === "overlay" && mount.upper !== undefined;
  const own = join(directory, "trust");
  mkdirSync(own);
  const found = { bundles: [] as Bundle[], layered: false };
  const layer = join(own, "layer");
  if (mount !== undefined) {
    await using looking = new AsyncStack();
    const view = look(mount, join(own, "view"), looking);
    found.bundles.push(...findBundles(view));
    if (isOverlay && found.bundles.length > 0)
      found.layered = makeLayer(view, layer, found.bundles, authority);
  }
  const { bundles, layered } = found;
  if (isOverlay && layered)
    stack.defer(() => {
      for (const { path } of bundles) forget(mount.upper ?? "", path, authority);
    });
  const owned = stack.move();
  const named = withAuthority(bundles[0]?.text ?? "", authority);
  return {
    rootfs: isOverlay && layered ? [{ ...mount, lower: [layer, ...mount.lower] }] : rootfs,
    mounts: [
      fileAt(namedBundle, named),
      ...(layered
        ? []
        : bundles.map(({ path, text }) => fileAt(path, withAuthority(text, authority)))),
    ],
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function withAuthority(text: string, authority: string): string {
  return text === "" || text.endsWith("\n") ? text + authority : `${text}\n${authority}`;
}

function fileAt(target: string, text: string): ExecMount {
  // A byte for each character, as bundles are read.
  const data = Uint8Array.from(text, (one) => one.charCodeAt(0));
  return { target, readonly: true, what: { type: "file", data, mode: 0o644, uid: 0, gid: 0 } };
}

/** A directory with what the step will find at first. */
function look(mount: Mount, target: string, stack: AsyncStack): string {
  if (mount.type === "bind") return mount.source;
  const { upper: _, work: __, ...rest } = mount;
  const [only, second] = mount.lower;
  // The kernel makes no overlay of a single directory.
  if (only !== undefined && second === undefined) return only;
  mkdirSync(target);
  stack.use(mountAt([rest], target));
  return target;
}

function findBundles(view: string): readonly Bundle[] {
  const found = new Map<string, Bundle>();
  for (const path of certificateBundles) {
    const host = resolveInRoot(view, path, { followLast: true });
    const stat = lstatSync(host, { throwIfNoEntry: false });
    if (!stat?.isFile() || stat.size > maxBundle) continue;
    const inside = host.slice(view.length);
    found.set(inside, { path: inside, text: readFileSync(host, "latin1") });
  }
  return [...found.values()];
}

/** False where the layer cannot be as it has to be, such as for owners that this process may not give. */
function makeLayer(
  view: string,
  layer: string,
  bundles: readonly Bundle[],
  authority: string,
): boolean {
  try {
    const directories = new Set(["/", ...bundles.flatMap(({ path }) => parentsOf(path))]);
    for (const path of directories) mkdirSync(join(layer, path), { recursive: true });
    for (const { path, text } of bundles) {
      writeFileSync(join(layer, path), withAuthority(text, authority), "latin1");
      dress(join(view, path), join(layer, path));
    }
    // Last and from within, as making files changes times.
    for (const path of [...directories].sort((a, b) => b.length - a.length))
      dress(join(view, path), join(layer, path));
    return true;
  } catch (error) {
    debug.debug("authorities are mounted over", { error: String(error) });
    return false;
  }
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "/" ? [] : [...parentsOf(parent), parent];
}

/** Gives a copy everything that copies have to be given. */
function dress(from: string, to: string): void {
  const { uid, gid, mode, mtimeNs } = statSync(from, { bigint: true });
  chownSync(to, Number(uid), Number(gid));
  chmodSync(to, Number(mode) & 0o7777);
  applyXattrs(to, readXattrs(from));
  applyTime(to, mtimeNs);
}

/** Takes the authority out of a bundle that the step has changed, with every part of the path looked at by itself. */
function forget(upper: string, path: string, authority: string): void {
  for (const parent of parentsOf(path))
    if (!lstatSync(upper + parent, { throwIfNoEntry: false })?.isDirectory()) return;
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  if (!lstatSync(upper + path, { throwIfNoEntry: false })?.isFile()) return;
  const file = openSync(upper + path, flags);
  try {
    const { size, mtimeNs } = fstatSync(file, { bigint: true });
    if (size > BigInt(maxBundle)) return;
    const text = readFileSync(file, "latin1");
    const clean = text.replaceAll(authority, "");
    if (clean === text) return;
    ftruncateSync(file, 0);
    writeSync(file, clean, 0, "latin1");
    applyTime(upper + path, mtimeNs);
  } finally {
    closeSync(file);
  }
}
