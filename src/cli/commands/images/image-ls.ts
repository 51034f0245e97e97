// kiln image ls: the names of the local store.
import { familiarReference, parseReference } from "../../../formats/oci/index.ts";
import { ageText, sizeText } from "../../report/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { rowsText } from "../machine/row-format.ts";
import { imageSize, openLocalImages } from "./local-images.ts";

const headings = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
};

export const imageLs: Command = defineCommand({
  spec: {
    path: ["image", "ls"],
    aliases: ["list"],
    argsUsage: "[NAME]",
    args: { min: 0, max: 1 },
    summary: "List images of the local store",
    flags: {
      format: {
        type: "string",
        value: "template",
        usage:
          "Format the output (table, json, or a Go template over .Repository .Tag .Digest .ID .CreatedSince .CreatedAt .Size)",
      },
      "no-trunc": { type: "bool", usage: "Don't truncate output" },
      quiet: { type: "bool", short: "q", usage: "Only show image IDs" },
    },
  },
  async run({ values }, [name], world) {
    using local = await openLocalImages(world);
    const wanted = name === undefined ? undefined : parseReference(name);
    const rows: Record<string, string>[] = [];
    for (const record of local.records.list()) {
      const reference = parseReference(record.name);
      const fits =
        !wanted || (wanted.domain === reference.domain && wanted.path === reference.path);
      if (!fits || (wanted?.tag !== undefined && wanted.tag !== reference.tag)) continue;
      const { digest } = record.descriptor;
      rows.push({
        Repository: familiarReference({ domain: reference.domain, path: reference.path }),
        Tag: reference.tag ?? "<none>",
        Digest: digest,
        ID: values["no-trunc"] ? digest : digest.slice(7, 19),
        CreatedSince: ageText(record.createdAt, world.now()),
        CreatedAt: record.createdAt.toISOString(),
        Size: sizeText(await imageSize(record.descriptor, local, world.call)),
      });
    }
    const ids = [...new Set(rows.map(({ ID = "" }) => ID))].map((id) => `${id}\n`).join("");
    const columns = ["Repository", "Tag", "ID", "CreatedSince", "Size"];
    world.stdout.write(values.quiet ? ids : rowsText(values.format, rows, headings, columns));
    return 0;
  },
});
