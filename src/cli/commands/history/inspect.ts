// kiln history inspect: all that is known of one build.
import { goJson } from "../../../base/index.ts";
import { jsonOf, parseTemplate } from "../../../formats/template/index.ts";
import { type Command, defineCommand, standsInForBuildx } from "../command.ts";
import { readDetails } from "./details.ts";
import { detailsStruct } from "./details-struct.ts";
import { detailsText } from "./inspect-text.ts";
import { withRecord } from "./records.ts";

export const historyInspect: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "inspect"],
    argsUsage: "[REF]",
    args: { min: 0, max: 1 },
    summary: "Inspect a build record",
    about:
      "REF is a build's ref, the beginning of one, or ^N for the Nth before the newest; the newest where absent.",
    examples: [
      { what: "The newest build", run: "kiln history inspect" },
      { what: "The one before, for programs", run: "kiln history inspect --format json ^1" },
      { what: "What went in", run: "kiln history inspect --format '{{json .Materials}}'" },
    ],
    flags: {
      format: {
        type: "string",
        default: "pretty",
        value: "pretty|json|TEMPLATE",
        usage: "Format the output",
      },
    },
  },
  async run({ values: { format } }, [word = ""], world) {
    const template =
      format === "" || format === "pretty" || format === "json"
        ? undefined
        : parseTemplate(format, { json: (value) => goJson(jsonOf(value), 0) });
    return await withRecord(word, world, async (found) => {
      const details = await readDetails(found, { now: world.now(), cwd: world.cwd }, world.call);
      if (format === "json") world.stdout.write(`${goJson(details, 4)}\n`);
      else if (template) {
        const text = template.execute(detailsStruct(details));
        world.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
      } else {
        const program = standsInForBuildx(world) ? "docker buildx" : "kiln";
        world.stdout.write(detailsText(details, word === "", world.stdout.style, program));
      }
      return 0;
    });
  },
});
