// Go templates: what each construct prints, beside what Go's own text/template prints for it.
import { describe, expect, test } from "vitest";
import { isKilnError } from "../../base/index.ts";
import { arranged, parseTemplate, structOf } from "./index.ts";

const data = {
  Name: "app",
  Count: 3,
  Nothing: null,
  Empty: "",
  List: ["a", "b", "c"],
  Map: { z: 1, a: { deep: "<&>" } },
  Yes: true,
};
const run = (text: string, value: unknown = data) => parseTemplate(text).execute(value);

describe("a template", () => {
  test.each([
    ["plain", "plain"],
    ["{{.Name}}", "app"],
    ["{{ .Name }}-{{.Count}}", "app-3"],
    [
      "{{.}}",
      "map[Count:3 Empty: List:[a b c] Map:map[a:map[deep:<&>] z:1] Name:app Nothing:<nil> Yes:true]",
    ],
    ["{{.Nope}}", "<no value>"],
    ["{{.Map.a.deep}}", "<&>"],
    ["{{json .Map}}", '{"z":1,"a":{"deep":"\\u003c\\u0026\\u003e"}}'],
    ["{{.Map | json}}", '{"z":1,"a":{"deep":"\\u003c\\u0026\\u003e"}}'],
    ["{{/* nothing */}}x", "x"],
    ["a {{- .Name -}} b", "aappb"],
    ["a {{-3}}", "a -3"],
    ["{{if .Yes}}y{{else}}n{{end}}", "y"],
    ["{{if .Empty}}y{{else if .Count}}c{{else}}n{{end}}", "c"],
    ["{{with .Map.a}}{{.deep}}{{$.Name}}{{end}}", "<&>app"],
    ["{{with .Empty}}x{{else}}none{{end}}", "none"],
    ["{{range .List}}{{.}};{{end}}", "a;b;c;"],
    ["{{range $i, $v := .List}}{{$i}}={{$v}} {{end}}", "0=a 1=b 2=c "],
    ["{{range $k, $v := .Map}}{{$k}} {{end}}", "a z "],
    ["{{range .Nothing}}x{{else}}empty{{end}}", "empty"],
    ['{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"],
    ['{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"],
    ["{{$x := 1}}{{range .List}}{{$x = .}}{{end}}{{$x}}", "c"],
    [
      '{{printf "%s/%d %q %5.1f|%-4s|%04d" .Name .Count .Name 1.26 "x" 7}}',
      'app/3 "app"   1.3|x   |0007',
    ],
    ['{{print "a" 1 2 "b"}}', "a1 2b"],
    ['{{println "a" 1}}', "a 1\n"],
    ['{{index .List 1}}{{(index .Map "a").deep}}', "b<&>"],
    ["{{len .List}}{{len .Name}}{{len .Map}}", "332"],
    ["{{slice .Name 1 2}}", "p"],
    ["{{and .Yes .Name}} {{or .Empty .Name}} {{not .Empty}}", "app app true"],
    ["{{and .Empty (index .List 9)}}", ""],
    ['{{eq .Count 1 3}} {{ne .Name "x"}} {{lt 1 2}} {{ge 2 3}}', "true true true false"],
    [
      '{{join .List ","}} {{upper .Name}} {{title "two words"}} {{truncate .Name 2}}',
      "a,b,c APP Two Words ap",
    ],
    ['{{pad "x" 1 2}}|{{split "a:b" ":"}}', " x  |[a b]"],
    ['{{"q\\n" | printf "%q"}} {{`raw\\n`}} {{\'a\'}}', '"q\\n" raw\\n 97'],
    ['{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}', "<app>"],
    ['{{block "b" .Count}}[{{.}}]{{end}}', "[3]"],
    ['{{html "<a>"}} {{urlquery "a b&"}}', "&lt;a&gt; a+b%26"],
    ["{{(.Map).z}}{{true}}{{0x10}}", "1true16"],
  ])("%s", (text, expected) => {
    expect(run(text)).toBe(expected);
  });

  test("finds Go's field names where documents have them, and prints the document's own names", () => {
    const value = structOf(
      { mediaType: "m", platform: { os: "linux" } },
      {
        MediaType: { member: "mediaType" },
        Platform: { member: "platform", shape: { OS: { member: "os" } } },
        Size: { member: "size", zero: 0 },
      },
    );
    expect(
      run("{{.D.MediaType}} {{.D.Platform.OS}} {{.D.Size}} {{json .D}} {{.D}}", { D: value }),
    ).toBe('m linux 0 {"mediaType":"m","platform":{"os":"linux"}} {m {linux} 0}');
  });
});

describe("a mistake", () => {
  test.each([
    ["{{.Name", /has no }}/],
    ["{{if .Yes}}", /no {{end}}/],
    ["{{end}}", /unexpected {{end}}/],
    ["{{nope .}}", /no function "nope"/],
    ["{{.Name | }}", /a value is missing/],
    ["{{(.Name}}", /\) is missing/],
    ["{{$x}}", /undefined variable \$x/],
    ["{{break}}", /outside {{range}}/],
    ["{{index .List 7}}", /outside a list of 3/],
    ["{{range .Name}}{{end}}", /cannot go over app/],
    ["{{.Name.First}}", /no field First/],
    ["{{.Name .Count}}", /not a function/],
    ['{{eq 1 "1"}}', /cannot compare/],
    ['{{define "t"}}{{template "t"}}{{end}}{{template "t"}}', /without end/],
    ["{{ # }}", /unexpected "#"/],
    ["{{json}}", /json needs a value/],
    ["{{if .Yes}}".repeat(300), /nested too deep/],
    [`{{${"(".repeat(300)}}}`, /nested too deep/],
  ])("%s", (text, words) => {
    try {
      run(text);
    } catch (error) {
      expect(isKilnError(error, "TEMPLATE_INVALID")).toBe(true);
      expect(String(error)).toMatch(words);
      return;
    }
    throw new Error("accepted");
  });
});

test("documents print in Go's order of fields, and their times as Go's", () => {
  const shape = { Created: { member: "created", time: true }, OS: { member: "os" } };
  const json = { z: { b: 1, a: 2 }, os: "linux", created: "2026-01-02T03:04:05.600Z" };
  expect(JSON.stringify(arranged(json, shape))).toBe(
    '{"created":"2026-01-02T03:04:05.600Z","os":"linux","z":{"a":2,"b":1}}',
  );
  expect(run("{{.Created}}", structOf(json, shape))).toBe("2026-01-02 03:04:05.6 +0000 UTC");
  expect(run("{{json .Created}}", structOf(json, shape))).toBe('"2026-01-02T03:04:05.600Z"');
});
