// Every build check has its page, and what the page calls bad and good is so.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ConvertIo, lintDockerfile } from "../index.ts";
import { lintRules } from "./index.ts";

const folder = join(import.meta.dirname, "../../../../docs/lint");
const pages = readdirSync(folder).filter((name) => name !== "README.md");

/** All images exist for linux/amd64 and nothing else. */
const io: ConvertIo = {
  async resolveImage() {
    const rootfs = { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] };
    const history = [{ created_by: "base" }];
    const config = { os: "linux", architecture: "amd64", rootfs, history };
    return { config: new TextEncoder().encode(JSON.stringify(config)) };
  },
};

async function check(
  file: string,
): Promise<{ readonly warned: readonly string[]; readonly buildError: unknown }> {
  const platform = { os: "linux", architecture: "amd64" };
  const options = {
    buildPlatforms: [platform],
    newId: () => "id",
    context: { ignorePatterns: ["*.json"] },
  };
  const { result } = await lintDockerfile(new TextEncoder().encode(file), options, io);
  const warned = (result.warnings ?? []).map(({ ruleName }) => ruleName);
  return { warned, buildError: result.buildError };
}

function exampleIn(page: string, title: "Bad" | "Good"): string {
  const text = page.slice(page.indexOf(`\n${title}:\n`));
  const start = text.indexOf("```dockerfile\n") + "```dockerfile\n".length;
  return text.slice(start, text.indexOf("```", start));
}

describe("the pages of the build checks", () => {
  it("are as many as there are checks, and all are listed", () => {
    const list = readFileSync(join(folder, "README.md"), "utf8");
    expect(pages).toHaveLength(Object.keys(lintRules).length);
    for (const page of pages) expect(list).toContain(`(${page})`);
  });

  it.each(Object.values(lintRules).map((rule) => [rule.name, rule] as const))(
    "%s: its page warns where it says so",
    async (name, rule) => {
      const page = rule.url.split("/").at(-2) ?? "";
      const text = readFileSync(join(folder, `${page}.md`), "utf8");
      expect(text).toContain(`# ${name}\n`);
      expect(text).toContain(rule.description.replace(/\.$/, ""));
      expect((await check(exampleIn(text, "Bad"))).warned).toContain(name);
      const good = await check(exampleIn(text, "Good"));
      expect(good.buildError).toBeUndefined();
      expect(good.warned).not.toContain(name);
    },
  );
});
