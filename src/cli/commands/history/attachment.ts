// kiln history inspect attachment: one of the files that belong to a build.
import type { RecordedBlob } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { attachmentsOf } from "./attachments.ts";
import { type FoundRecord, withRecord } from "./records.ts";

/** Words that stand for types. */
const typeWords: Readonly<Record<string, RegExp>> = {
  index: /^application\/vnd\.oci\.image\.index\.v1\+json$/,
  manifest: /^application\/vnd\.oci\.image\.manifest\.v1\+json$/,
  image: /^application\/vnd\.oci\.image\.config\.v1\+json$/,
  provenance: /^https:\/\/slsa\.dev\/provenance\//,
  sbom: /^https:\/\/spdx\.dev\/Document/,
};

export const historyAttachment: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "inspect", "attachment"],
    argsUsage: "[REF [DIGEST]]",
    args: { min: 0, max: 2 },
    summary: "Inspect a build record attachment",
    about:
      "Prints the attachment with the digest, or the first of the type: provenance, sbom, index, manifest, image, or a type as 'kiln history inspect' lists it.",
    examples: [
      {
        what: "What is known of how the newest build came to be",
        run: "kiln history inspect attachment --type provenance",
      },
    ],
    flags: {
      platform: { type: "string", value: "os/arch", usage: "Platform of attachment" },
      type: { type: "string", value: "type", usage: "Type of attachment" },
    },
  },
  async run({ values }, [word = "", digest], world) {
    if (digest === undefined && values.type === "" && values.platform === "")
      throw new KilnError(
        "FLAG_INVALID",
        "at least one of --type, --platform or DIGEST must be specified",
        { hint: "Run 'kiln history inspect' to see which there are." },
      );
    return await withRecord(word, world, async (found) => {
      const blob = await pick(found, digest, values, world.call);
      const file = await found.history.blob(blob.digest, world.call);
      if (!file) throw missing(`the builder no longer has ${blob.digest}`);
      for await (const chunk of file.data) world.stdout.write(chunk);
      if (world.stdout.isTerminal) world.stdout.write("\n");
      return 0;
    });
  },
});

async function pick(
  one: FoundRecord,
  digest: string | undefined,
  { platform, type }: { readonly platform: string; readonly type: string },
  call: Call,
): Promise<RecordedBlob> {
  const { record } = one;
  const named = [record.logs, record.trace].find((one) => one && one.digest === digest);
  if (named) return named;
  const wanted = typeWords[type];
  const found = (await attachmentsOf(one, call)).find(
    (one) =>
      (digest === undefined || one.Digest === digest) &&
      (type === "" || (wanted ? wanted.test(one.Type) : one.Type === type)) &&
      (platform === "" || (one.Platform ?? "") === platform || one.Platform === undefined),
  );
  if (found) return found.blob;
  throw missing(`no matching attachment found for build ${record.ref}`);
}

function missing(message: string): KilnError {
  return new KilnError("RECORD_NOT_FOUND", message, {
    hint: "Run 'kiln history inspect' to see which there are.",
  });
}
