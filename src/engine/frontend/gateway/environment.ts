// What a frontend's program finds in its environment (frontend/gateway of the reference).
import { randomBytes } from "node:crypto";
import type { Attrs } from "../../../api/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";

/** What clients expect to be told; features depend on it nowhere. */
const product = "buildkit";
/** Bytes of one option. */
const maxOption = 128 * 1024;

/** Options of the gateway itself are not the frontend's; `cmdline` and `source` are, as the reference has it. */
export function withoutGatewayOptions(attrs: Attrs): Attrs {
  return Object.fromEntries(Object.entries(attrs).filter(([key]) => !key.startsWith("kiln.")));
}

export function frontendEnvironment(
  attrs: Attrs,
  platforms: readonly Platform[],
): readonly string[] {
  const workers = [
    {
      ID: "kiln",
      Labels: {},
      Platforms: platforms.map(({ os, architecture, variant }) => ({
        architecture,
        os,
        ...(variant ? { variant } : {}),
      })),
    },
  ];
  const options = Object.entries(attrs)
    .filter(([key, value]) => key.length + value.length < maxOption && !/\0/.test(key + value))
    .map(([key, value], at) => `BUILDKIT_FRONTEND_OPT_${at}=${key}=${value}`);
  return [
    ...options,
    `BUILDKIT_SESSION_ID=${randomBytes(12).toString("hex")}`,
    `BUILDKIT_WORKERS=${JSON.stringify(workers)}`,
    `BUILDKIT_EXPORTEDPRODUCT=${product}`,
  ];
}
