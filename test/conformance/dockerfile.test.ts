// Parsing, typed instructions and shell words, against the neighbours' answers.
import {
  createLexer,
  createLinter,
  detectSyntax,
  type EscapeToken,
  ExpansionError,
  type Heredoc,
  type Instruction,
  type InstructionNode,
  type LineRange,
  Mistake,
  type Problem,
  parseDockerfile,
  quote,
  rangesOf,
  readInstructions,
  readMounts,
  type Stage,
} from "../../src/formats/dockerfile/index.ts";
import { checkRows, differs, fileOf, type Row } from "./rows.ts";

checkRows("dockerfile-parse", checkParse);
checkRows("corpus-parse", checkParse);
checkRows("dockerfile-instructions", checkInstructions);
checkRows("corpus-instructions", checkInstructions);

checkRows("shell-words", (row) => {
  const out = row.out as Readonly<Record<string, unknown>>;
  const options = {
    escape: row["escape"] as EscapeToken,
    rawQuotes: row["rawQuotes"] === true,
    rawEscapes: row["rawEscapes"] === true,
    skipProcessQuotes: row["skipProcessQuotes"] === true,
    skipUnset: row["skipUnset"] === true,
  };
  const variables = new Map((row["env"] as readonly string[]).map(splitVariable));
  try {
    const found = createLexer(options).expand(String(row["word"]), (name) => variables.get(name));
    if (out["wordError"] !== undefined)
      return `expected ${String(out["wordError"])}, got ${found.word}`;
    const matched = [...found.matched].sort();
    const unmatched = [...found.unmatched].sort();
    return differs(out, { matched, unmatched, word: found.word, words: found.words });
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    return out["wordError"] === undefined ? error.message : undefined;
  }
});

function splitVariable(pair: string): [string, string] {
  const sign = pair.indexOf("=");
  return sign === -1 ? [pair, ""] : [pair.slice(0, sign), pair.slice(sign + 1)];
}

function checkParse(row: Row): unknown {
  const out = row.out as Readonly<Record<string, unknown>>;
  const data = fileOf(row);
  const { value, problems } = parseDockerfile(data);
  const wrong = checkError(out, problems);
  if (wrong !== undefined || problems.length > 0) return wrong;
  const syntax = detectSyntax(data);
  return differs(out, {
    ast: tree(value.instructions),
    dump: value.instructions.map((node) => `(${dump(node)})`).join("\n"),
    escape: value.escape,
    warnings: value.warnings.map(({ message, detail, url, lines }) => ({
      short: message,
      detail,
      url,
      location: location(lines),
    })),
    syntax: syntax && { cmdline: syntax.commandLine, ref: syntax.reference },
  });
}

function checkError(out: Readonly<Record<string, unknown>>, problems: readonly Problem[]): unknown {
  const expected = out["error"] as
    | { readonly locations: readonly (readonly (readonly number[])[])[]; readonly message: string }
    | undefined;
  const first = problems[0];
  if (expected === undefined) return first && `refused: ${first.message}`;
  if (!first) return `accepted, expected ${expected.message}`;
  const lines = expected.locations[0]?.map((range) => range[0]);
  return differs(
    lines,
    first.at.flatMap(rangesOf).map((range) => range.start),
  );
}

function tree(nodes: readonly InstructionNode[]): unknown {
  const children = nodes.map((node) => nodeTree(node, true));
  return {
    children,
    value: "",
    startLine: nodes[0]?.lines.start,
    endLine: nodes.at(-1)?.lines.end,
  };
}

function nodeTree(node: InstructionNode, outer: boolean): unknown {
  const json = node.json || node.trigger?.json === true;
  return {
    value: node.keyword,
    original: node.original,
    startLine: outer ? node.lines.start : 0,
    endLine: outer ? node.lines.end : 0,
    flags: node.flags.length > 0 ? node.flags : undefined,
    attributes: json && node.trigger === undefined ? { json: true } : undefined,
    prevComment: node.comments.length > 0 ? node.comments : undefined,
    heredocs: node.heredocs.length > 0 ? node.heredocs.map(heredocTree) : undefined,
    next: node.trigger
      ? { value: "", startLine: 0, endLine: 0, children: [nodeTree(node.trigger, false)] }
      : chain(node.args),
  };
}

function chain(args: readonly string[]): unknown {
  const [value, ...rest] = args;
  return value === undefined ? undefined : { value, startLine: 0, endLine: 0, next: chain(rest) };
}

function heredocTree({ name, fileDescriptor, expand, chomp, content }: Heredoc): unknown {
  return {
    Name: name,
    FileDescriptor: fileDescriptor,
    Expand: expand,
    Chomp: chomp,
    Content: content,
  };
}

function dump(node: InstructionNode): string {
  const flags = node.flags.length > 0 ? ` [${node.flags.map(quote).join(" ")}]` : "";
  const args = node.trigger
    ? ` (${dump(node.trigger)})`
    : node.args.map((arg) => ` ${quote(arg)}`).join("");
  return node.keyword.toLowerCase() + flags + args;
}

function location(lines: LineRange): unknown {
  return rangesOf(lines).map((range) => [range.start, 0, range.end, 0]);
}

function checkInstructions(row: Row): unknown {
  const out = row.out as Readonly<Record<string, unknown>>;
  const parsed = parseDockerfile(fileOf(row));
  const linter = createLinter({ skip: [], experimental: "all", error: false });
  const { stages, metaArgs, problems } = readInstructions(parsed.value.instructions, linter);
  const all = [...parsed.problems, ...problems];
  const wrong = checkError(out, all);
  if (wrong !== undefined || all.length > 0) return wrong;
  const lint = linter.warnings.map(({ rule, description, url, message, at }) => ({
    rule,
    description,
    url,
    msg: message,
    location: at.flatMap((lines) => location(lines)),
  }));
  const expected = (out["stages"] as readonly Readonly<Record<string, unknown>>[]).map((stage) => ({
    ...stage,
    comments: stage["comments"] ?? [],
    commands: (stage["commands"] as readonly Readonly<Record<string, unknown>>[]).map(
      withoutErrorText,
    ),
  }));
  return differs(
    { ...out, stages: expected },
    { lint, metaArgs: metaArgs.map(commandOf), stages: stages.map(stageOf) },
  );
}

function withoutErrorText(command: Readonly<Record<string, unknown>>): unknown {
  return "expandError" in command ? { ...command, expandError: true } : command;
}

function stageOf(stage: Stage): unknown {
  return {
    base: stage.base,
    code: stage.code,
    // Empty or null says how Go made the list, not what is in it.
    comments: stage.comments,
    doc: stage.doc,
    location: location(stage.lines),
    name: stage.name,
    origName: stage.keyword,
    platform: stage.platform,
    commands: stage.instructions.map(commandOf),
  };
}

function commandOf(instruction: Instruction): unknown {
  const comments = instruction.comments.length > 0 ? instruction.comments : undefined;
  const { code, keyword, lines } = instruction;
  return {
    cmd: fieldsOf(instruction),
    code,
    comments,
    location: location(lines),
    name: keyword,
    ...(instruction.kind === "run" ? runOf(instruction) : {}),
  };
}

function runOf(run: Extract<Instruction, { kind: "run" }>): object {
  const { network, security } = run;
  try {
    const mounts = readMounts(run, (word) => word).map((mount) => ({
      Type: mount.type,
      From: mount.from,
      Source: mount.source,
      Target: mount.target,
      ReadOnly: mount.readOnly,
      SizeLimit: mount.sizeLimit,
      CacheID: mount.id,
      CacheSharing: mount.sharing,
      Required: mount.required,
      Env: mount.env ?? null,
      Mode: mount.mode ?? null,
      UID: mount.uid ?? null,
      GID: mount.gid ?? null,
    }));
    return { mounts, network, security };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { expandError: true };
  }
}

function orNull<Value>(list: readonly Value[]): readonly Value[] | null {
  return list.length > 0 ? list : null;
}

function fieldsOf(instruction: Instruction): unknown {
  switch (instruction.kind) {
    case "add":
    case "copy":
      return copyFields(instruction);
    case "arg":
      return {
        Args: instruction.args.map(({ name, value, doc }) => ({
          Key: name,
          Value: value ?? null,
          DocComment: doc,
        })),
      };
    case "cmd":
    case "entrypoint":
    case "run":
      return commandFields(instruction);
    case "env":
      return { Env: instruction.pairs.map(pairOf) };
    case "label":
      return { Labels: instruction.pairs.map(pairOf) };
    case "expose":
      return { Ports: instruction.ports };
    case "healthcheck":
      return { Health: healthOf(instruction) };
    case "maintainer":
      return { Maintainer: instruction.author };
    case "onbuild":
      return { Expression: instruction.expression };
    case "shell":
      return { Shell: instruction.shell };
    case "stopsignal":
      return { Signal: instruction.signal };
    case "user":
      return { User: instruction.user };
    case "volume":
      return { Volumes: instruction.paths };
    case "workdir":
      return { Path: instruction.path };
    default:
      return instruction;
  }
}

function pairOf({ key, value, legacy }: { key: string; value: string; legacy: boolean }): unknown {
  return { Key: key, Value: value, NoDelim: legacy };
}

function commandFields(
  instruction: Extract<Instruction, { kind: "cmd" | "entrypoint" | "run" }>,
): unknown {
  const { command, files, shell } = instruction;
  return {
    CmdLine: instruction.kind === "entrypoint" ? orNull(command) : command,
    Files: orNull(files.map(({ name, data, chomp }) => ({ Name: name, Data: data, Chomp: chomp }))),
    PrependShell: shell,
    FlagsUsed: instruction.kind === "run" ? instruction.flagsUsed.toSorted() : undefined,
  };
}

function copyFields(instruction: Extract<Instruction, { kind: "add" | "copy" }>): unknown {
  const { chmod, chown, destination, exclude, inline, link, sources } = instruction;
  return {
    DestPath: destination,
    SourcePaths: orNull(sources),
    SourceContents: orNull(
      inline.map(({ path, data, expand }) => ({ Path: path, Data: data, Expand: expand })),
    ),
    Chown: chown,
    Chmod: chmod,
    Link: link,
    ExcludePatterns: orNull(exclude),
    ...(instruction.kind === "copy"
      ? { From: instruction.from, Parents: instruction.parents }
      : {
          KeepGitDir: instruction.keepGitDir ?? null,
          Checksum: instruction.checksum,
          Unpack: instruction.unpack ?? null,
        }),
  };
}

function healthOf(health: Extract<Instruction, { kind: "healthcheck" }>): unknown {
  const { test, interval, timeout, startPeriod, startInterval, retries } = health;
  return {
    Test: test,
    Interval: interval || undefined,
    Timeout: timeout || undefined,
    StartPeriod: startPeriod || undefined,
    StartInterval: startInterval || undefined,
    Retries: retries || undefined,
  };
}
