// A bill of materials in SPDX 2.3's JSON (spdx.github.io/spdx-spec/v2.3): the same packages give the same bytes.
import { digestHex, digestOf } from "../../../base/index.ts";
import { type FoundPackage, findPackages, readOsRelease, type ScanView } from "./packages.ts";

/** What the predicate of a bill of materials is called. */
export const spdxPredicateType = "https://spdx.dev/Document";

export interface SpdxOptions {
  /** Of what was scanned. */
  readonly name: string;
  /** Seconds since 1970: when the document says that it was made. */
  readonly created: number;
}

/** The bill of materials of a file system. */
export function scanFiles(view: ScanView, options: SpdxOptions): unknown {
  return spdxDocument(findPackages(view), readOsRelease(view), options);
}

function spdxDocument(
  packages: readonly FoundPackage[],
  os: Readonly<Record<string, string>>,
  { name, created }: SpdxOptions,
): unknown {
  const described = packages.map((one) => ({ id: spdxId(one), json: packageJson(one, os) }));
  const root = "SPDXRef-DocumentRoot-Image";
  const whole = {
    name,
    SPDXID: root,
    versionInfo: os["PRETTY_NAME"] ?? "",
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: "NOASSERTION",
    copyrightText: "NOASSERTION",
    primaryPackagePurpose: "CONTAINER",
  };
  const seed = digestHex(digestOf(JSON.stringify([name, created, described])));
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: `https://spdx.org/spdxdocs/kiln-${seed}`,
    creationInfo: {
      creators: ["Tool: kiln"],
      created: new Date(created * 1000).toISOString().replace(".000Z", "Z"),
    },
    packages: [whole, ...described.map(({ json }) => json)],
    relationships: [
      relationship("SPDXRef-DOCUMENT", "DESCRIBES", root),
      ...described.map(({ id }) => relationship(root, "CONTAINS", id)),
    ],
  };
}

function relationship(from: string, relationshipType: string, to: string) {
  return { spdxElementId: from, relatedSpdxElement: to, relationshipType };
}

function packageJson(one: FoundPackage, os: Readonly<Record<string, string>>): unknown {
  const declared = one.license && /^[A-Za-z0-9.+() -]+$/.test(one.license) ? one.license : "";
  return {
    name: one.name,
    SPDXID: spdxId(one),
    versionInfo: one.version,
    ...(one.supplier ? { supplier: supplierText(one.supplier) } : {}),
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    sourceInfo: `acquired package info from ${sourceWords[one.kind]}: ${one.path}`,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: declared || "NOASSERTION",
    copyrightText: "NOASSERTION",
    externalRefs: [
      {
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: packagePurl(one, os),
      },
    ],
  };
}

const sourceWords = {
  deb: "DPKG DB",
  apk: "APK DB",
  npm: "installed node module manifest file",
} as const;

/** `Name <address>` as SPDX wants it. */
function supplierText(supplier: string): string {
  const [, name = supplier, address] = /^(.*?)\s*<([^>]*)>$/.exec(supplier) ?? [];
  return `Person: ${name}${address ? ` (${address})` : ""}`;
}

/** As the purl types deb, apk and npm have it. */
function packagePurl(one: FoundPackage, os: Readonly<Record<string, string>>): string {
  const version = encodeURIComponent(one.version).replaceAll("%3A", ":");
  if (one.kind === "npm") return `pkg:npm/${one.name.replace(/^@/, "%40")}@${version}`;
  const id = os["ID"] ?? (one.kind === "deb" ? "debian" : "alpine");
  const qualifiers = [
    ...(one.architecture ? [`arch=${one.architecture}`] : []),
    ...(os["VERSION_ID"] ? [`distro=${id}-${os["VERSION_ID"]}`] : []),
    ...(one.source ? [`upstream=${encodeURIComponent(one.source)}`] : []),
  ];
  const name = encodeURIComponent(one.name);
  return `pkg:${one.kind}/${id}/${name}@${version}${qualifiers.length > 0 ? `?${qualifiers.join("&")}` : ""}`;
}

function spdxId(one: FoundPackage): string {
  const plain = `${one.kind}-${one.name}`.replaceAll(/[^A-Za-z0-9.-]/g, "-");
  return `SPDXRef-Package-${plain}-${digestHex(digestOf(JSON.stringify(one))).slice(0, 16)}`;
}
