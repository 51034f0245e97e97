import { expect, it } from "vitest";
import { stepResolver } from "./resolver.ts";

it("keeps the machine's servers, search list and options", () => {
  const text =
    "# by hand\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nsearch a.example b.example\noptions ndots:2\n";
  expect(stepResolver(text, undefined)).toEqual({
    text: "nameserver 10.0.0.2\nnameserver 10.0.0.3\nsearch a.example b.example\noptions ndots:2\n",
    linkLocal: [],
    isFallback: false,
  });
});

it("asks the servers behind systemd's stub", () => {
  expect(stepResolver("nameserver 127.0.0.53\n", "nameserver 192.0.2.1\n").text).toBe(
    "nameserver 192.0.2.1\n",
  );
});

it.each([
  ["on loopback", "nameserver 127.0.0.1\nsearch x.example\n"],
  ["by IPv6 only", "nameserver fd00::1\nsearch x.example\n"],
  ["nowhere", "search x.example\n"],
])("falls back on public servers where the machine's are %s", (_, text) => {
  expect(stepResolver(text, undefined)).toEqual({
    text: "nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch x.example\n",
    linkLocal: [],
    isFallback: true,
  });
});

it("names the servers among cloud metadata services", () => {
  expect(stepResolver("nameserver 169.254.169.253\n", undefined).linkLocal).toEqual([
    "169.254.169.253",
  ]);
});
