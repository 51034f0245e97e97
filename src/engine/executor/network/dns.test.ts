// Name servers of a user's choice in resolv.conf.
import { expect, it } from "vitest";
import { withDns } from "./dns.ts";

const machine = "# made by hand\nnameserver 10.0.0.1\nsearch home\noptions edns0\n";

it("leaves what nobody set", () => {
  expect(withDns(machine, undefined)).toBe(machine);
  expect(withDns(machine, { nameservers: [] })).toBe(machine);
  expect(withDns(machine, { nameservers: ["1.1.1.1", "9.9.9.9"] })).toBe(
    "nameserver 1.1.1.1\nnameserver 9.9.9.9\n# made by hand\nsearch home\noptions edns0\n",
  );
});

it("replaces all that is set", () => {
  const dns = { nameservers: ["1.1.1.1"], options: ["ndots:0"], searchDomains: ["a", "b"] };
  expect(withDns(machine, dns)).toBe(
    "nameserver 1.1.1.1\nsearch a b\noptions ndots:0\n# made by hand\n",
  );
});
