// Dockerfiles: from bytes to a syntax tree, to typed instructions, to LLB.
export {
  type DockerfileTree,
  type Heredoc,
  type InstructionNode,
  type LineRange,
  type ParserWarning,
  type Problem,
  rangesOf,
} from "./ast.ts";
export * from "./convert/index.ts";
export type { Directive, DirectiveName, EscapeToken } from "./directives.ts";
export * from "./instructions/index.ts";
export * from "./lint/index.ts";
export {
  type ParsedDockerfile,
  parseDockerfile,
} from "./parse.ts";
export * from "./requests/index.ts";
export {
  createLexer,
  type Expansion,
  ExpansionError,
  type Lexer,
  type LexerOptions,
  type Lookup,
} from "./shell-words.ts";
export {
  type Instructions,
  readInstructions,
  type Stage,
} from "./stages.ts";
export { detectSyntax, type SyntaxDirective } from "./syntax.ts";
export { quote } from "./text.ts";
