// Generates src/formats/proto from proto/: `npm run gen`, or `tsx scripts/gen-proto.ts <folder>` to write elsewhere.
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

// Why each: docs/decisions/0004-protobuf-code.md.
const options = [
  "annotateFilesWithVersion=false",
  "enumsAsLiterals=true",
  "esModuleInterop=true",
  "exportCommonSymbols=false",
  "importSuffix=.ts",
  "oneof=unions-value",
  "outputJsonMethods=false",
  "outputServices=generic-definitions",
  "unrecognizedEnum=false",
  "useExactTypes=false",
  "useJsTypeOverride=true",
  "useMapType=true",
];

if (process.argv.includes("--help")) {
  console.log(
    "usage: tsx scripts/gen-proto.ts [folder]\n\nWrites TypeScript for every file under proto/.",
  );
} else {
  const plugin = {
    local: join(root, "node_modules/.bin/protoc-gen-ts_proto"),
    out: ".",
    opt: options,
  };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  const folder = resolve(process.argv[2] ?? join(root, "src/formats/proto"));
  const buf = join(root, "node_modules/.bin/buf");
  execFileSync(buf, ["generate", join(root, "proto"), "--template", template, "--output", folder], {
    stdio: "inherit",
  });
}
