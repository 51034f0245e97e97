// docs/errors.md, made from the code table.
import { errorCodes } from "../../base/index.ts";

/** The page that explains every error code; messages point to it. */
export function errorPage(): string {
  const sections = Object.entries(errorCodes).map(
    ([code, [category, meaning]]) => `## ${code}\n\n${meaning}\n\nClass: ${category}.`,
  );
  const intro =
    "Every error that Kiln shows ends with a code in brackets. Codes are stable: scripts may rely on them. " +
    "The lines before say what failed, where, why, and what to do about it.\n\n" +
    "The exit code is 1. It is 130 when the command was cancelled (Ctrl-C), and 100 when Kiln itself is at fault. " +
    "`kiln run` passes on the exit code of the program.";
  return `# Errors\n\n${intro}\n\n${sections.join("\n\n")}\n`;
}
