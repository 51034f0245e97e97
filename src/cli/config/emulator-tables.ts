// `[[emulators.ARCHITECTURE]]` of the configuration file: which versions run the programs of other processors.
import { dirname, resolve } from "node:path";
import { isRecord } from "../../base/index.ts";
import { type ConfigText, configInvalid, lineOfKey, unknownKey } from "./config-text.ts";

const keys = ["path", "digest"];

/**
 * Reads the tables into a list in the form of KILN_QEMU, best first; undefined where there are none. Relative paths count
 * from the configuration file. Throws `CONFIG_INVALID`.
 */
export function readEmulators(value: unknown, config: ConfigText): string | undefined {
  const fail = (key: string, why: string) =>
    configInvalid(config, lineOfKey(config.text, undefined, key), why);
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw fail("emulators", "emulators must hold tables, one a processor");
  const parts = Object.entries(value).flatMap(([architecture, tables]) => {
    if (!/^[a-z0-9]+$/.test(architecture))
      throw fail("emulators", `"${architecture}" is not a processor; write it as arm64 or riscv64`);
    if (!Array.isArray(tables) || !tables.every(isRecord))
      throw fail("emulators", `write it as [[emulators.${architecture}]]`);
    return tables.map((table) => {
      const unknown = Object.keys(table).find((key) => !keys.includes(key));
      if (unknown !== undefined) throw fail(unknown, unknownKey(unknown, keys));
      const { path, digest } = table;
      // The list's parts are parted by colons.
      if (typeof path !== "string" || path === "" || path.includes(":"))
        throw fail("path", "path must be the file of an emulator, without a colon");
      if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(String(digest)))
        throw fail("digest", "digest must be sha256: and 64 hexadecimal digits");
      const file = resolve(dirname(config.file), path);
      return `${architecture}=${file}${digest === undefined ? "" : `@${String(digest)}`}`;
    });
  });
  return parts.length === 0 ? undefined : parts.join(":");
}
