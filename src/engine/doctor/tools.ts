// Judging programs that only some builds need.
import { installFix } from "./distribution.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

export function judgeTools({ tools, distribution }: Facts): readonly Finding[] {
  const optional = [
    ["git", "git", "Git", "repositories as contexts and ADD of repositories do not work"],
    ["ssh", "openssh-client", "SSH", "repositories by ssh do not work"],
  ] as const;
  return optional.map(([name, packageName, title, consequence]): Finding => {
    const tool = tools[name];
    const base = { id: name, group: "tools", title } as const;
    if (tool?.path !== undefined)
      return { ...base, status: "ok", found: tool.version ?? tool.path };
    const fix = installFix(packageName, distribution);
    return { ...base, status: "warning", found: "not installed", consequence, ...(fix && { fix }) };
  });
}
