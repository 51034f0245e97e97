// How the layers of a store are written: which version, and where overlayfs keeps its marks.
import { existsSync, readFileSync } from "node:fs";
import { isRecord, KilnError, writeFileAtomic } from "../../base/index.ts";
import { formatVersion, parseJsonOrUndefined } from "./layer-documents.ts";

/**
 * Whether overlayfs marks of the store in `dir` are kept in `user.` attributes. The first process to open it decides; later
 * ones must be able to go on with that. Throws `STORE_CORRUPT` and `UNSUPPORTED` where this one is not.
 */
export function openFormat(dir: string): boolean {
  const path = `${dir}/format.json`;
  if (!existsSync(path)) {
    writeFileAtomic(path, JSON.stringify({ version: formatVersion, userXattr: inUserNamespace() }));
  }
  const format = parseJsonOrUndefined(readFileSync(path, "utf8"));
  if (!isRecord(format) || format["version"] !== formatVersion) {
    throw new KilnError("STORE_CORRUPT", `${path} is not of a version that this Kiln understands`, {
      hint: "Remove Kiln's root directory, or use another one with --root.",
    });
  }
  const userXattr = format["userXattr"] === true;
  if (!userXattr && inUserNamespace()) {
    throw new KilnError(
      "UNSUPPORTED",
      `the layers in ${dir} are marked as only root can read them`,
      {
        hint: "Use a root directory of your own: --root or KILN_ROOT.",
      },
    );
  }
  return userXattr;
}

/** `trusted.` attributes need rights in the initial user namespace, which maps all ids to themselves. */
function inUserNamespace(): boolean {
  if (process.geteuid?.() !== 0) return true;
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false;
  }
}
