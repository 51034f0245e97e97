// buildx's structured flags and the frontend's attestation options, as the reference reads them.
import { isKilnError } from "../../src/base/index.ts";
import {
  attestText,
  cacheEntryText,
  outputText,
  parseAnnotations,
  parseAttests,
  parseBuildContexts,
  parseCacheEntries,
  parseCall,
  parseOutputs,
  parseSecrets,
  parseSshSpecs,
  secretText,
  sshText,
} from "../../src/cli/flags/index.ts";
import { parseAttestAttrs } from "../../src/engine/attest/index.ts";
import { hostPlatform, platformJson } from "../../src/formats/oci/index.ts";
import { checkRows, differs, type Row } from "./rows.ts";

/** Answers in the reference's form; a list that is empty, or a text that does not exist, is null or absent there. */
function checkFlag(
  file: string,
  answer: (list: readonly string[]) => { strings?: readonly string[]; value: unknown },
): void {
  checkRows(file, (row: Row) => {
    const expected = row.out as { error?: string };
    try {
      const { strings, value } = answer(row["list"] as readonly string[]);
      return differs(expected, { strings: strings?.length ? strings : null, value });
    } catch (error) {
      if (!isKilnError(error)) throw error;
      return expected.error === undefined ? `refused: ${error.message}` : undefined;
    }
  });
}

/** Go leaves out what is empty. */
function filled(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== "" && value !== undefined),
  );
}

const host = hostPlatform("x64");

checkFlag("flag-annotations", (list) => ({
  value: parseAnnotations(list, host).map(({ type, platform, key, value }) => ({
    key: { Type: type, Platform: platform ? platformJson(platform) : null, Key: key },
    value,
  })),
}));
checkFlag("flag-attests", (list) => {
  const attests = parseAttests(list);
  const value = attests.map(({ attrs, ...rest }) => ({ ...attrs, ...rest }));
  return { strings: attests.map(attestText), value };
});
checkFlag("flag-cacheentry", (list) => {
  const entries = parseCacheEntries(list, "--cache-from");
  return {
    strings: entries.map(cacheEntryText),
    value: entries.map(({ type, attrs }) => ({ ...attrs, type })),
  };
});
checkFlag("flag-callfunc", ([text = ""]) => {
  const call = parseCall(text);
  return {
    value: call ? { Name: call.name, Format: call.format, IgnoreStatus: call.ignoreStatus } : null,
  };
});
checkFlag("flag-contextnames", (list) => ({ value: parseBuildContexts(list) }));
checkFlag("flag-exports", (list) => {
  const outputs = parseOutputs(list);
  return {
    strings: outputs.map(outputText),
    value: outputs.map(({ attrs, ...rest }) => ({ ...attrs, ...rest })),
  };
});
checkFlag("flag-secretspecs", (list) => {
  const secrets = parseSecrets(list);
  return {
    strings: secrets.map(secretText),
    value: secrets.map((secret) => filled({ ...secret })),
  };
});
checkFlag("flag-sshspecs", (list) => {
  const specs = parseSshSpecs(list);
  return { strings: specs.map(sshText), value: specs.map((spec) => filled({ ...spec })) };
});
checkRows("attest-options", (row) => {
  const attests = parseAttestAttrs(row["map"] as Readonly<Record<string, string>>);
  return differs(row.out, { attests });
});
