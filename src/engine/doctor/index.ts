// Looks at the machine and says what builds lack on it, with the command that helps.
export type { Distribution } from "./distribution.ts";
export * from "./examine.ts";
export * from "./finding.ts";
