// A syntax tree as text again: the shortest Dockerfile that parses to it.
import type { DockerfileTree, InstructionNode } from "./ast.ts";
import type { EscapeToken } from "./directives.ts";
import { MAX_LINE_BYTES } from "./lines.ts";
import { continuationAt, trimLineEnd } from "./parse.ts";
import { isSpace, trimStart } from "./text.ts";

/** Text that parses to the same directives and instructions; comments that belong to none are lost, as in the tree. */
export function printDockerfile(tree: DockerfileTree): string {
  const directives = tree.directives.map(({ name, value }) => `# ${name}=${value}\n`);
  const instructions = tree.instructions.map((node) => printInstruction(node, tree.escape));
  // The empty comment ends the directives: what follows may look like one.
  return `${directives.join("")}#\n${instructions.join("")}`;
}

function printInstruction(node: InstructionNode, token: EscapeToken): string {
  const comments = node.comments.map((comment) => `# ${comment}\n`);
  const heredocs = node.heredocs.map((file) => `${file.content}${file.name}\n`);
  return `${comments.join("")}${printLine(node.original, token)}\n${heredocs.join("")}`;
}

/** One line, continued over several where it would be too long, or would be read as something else. */
function printLine(original: string, token: EscapeToken): string {
  // White space in front survives on a continuation line only.
  const indented = original === "" || isSpace(original.charCodeAt(0));
  const lines = indented ? [`${token}\n`] : [];
  let from = 0;
  // A code unit has three bytes at most.
  for (const room = Math.floor(MAX_LINE_BYTES / 3) - 1; original.length - from > room; ) {
    const to = breakBefore(original, from + room, from, token);
    if (to === undefined) break;
    lines.push(`${original.slice(from, to)}${token}\n`);
    from = to;
  }
  const last = original.slice(from);
  const broken =
    last !== trimLineEnd(last) || continuationAt(last, token) !== -1 || trimStart(last) === "";
  return lines.join("") + last + (broken ? token : "");
}

/** Where a line may be broken: not beside an escape, nor before what would be a comment or lost white space. */
function breakBefore(
  text: string,
  to: number,
  from: number,
  token: EscapeToken,
): number | undefined {
  for (let at = to; at > from; at--) {
    const next = text.charCodeAt(at);
    const isHalf = next >= 0xdc00 && next <= 0xdfff;
    if (!isHalf && text[at] !== "#" && !isSpace(next) && text[at - 1] !== token) return at;
  }
  return undefined;
}
