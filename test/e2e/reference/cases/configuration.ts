// Image configuration, history, stages, archives and .dockerignore.
import { archive, archiveBzip2, archiveGzip, archiveXz } from "../archives.ts";
import { dockerfileCase as build, type ReferenceCase } from "../case.ts";

export const configurationCases: readonly ReferenceCase[] = [
  build(
    "config-everything",
    `
    FROM busybox
    LABEL one=1 two="with space" three=$HOME
    LABEL one=again
    ENV A=a B="b c" C=\${A}x D=\${NONE:-default} E=\${A:+set}
    ENV F old style  value
    EXPOSE 80 443/tcp 53/udp 8000-8003
    VOLUME ["/data", "/more data"]
    VOLUME /a /b
    USER 1000:1000
    WORKDIR /w
    STOPSIGNAL SIGQUIT
    HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --start-interval=2s --retries=4 CMD wget -q localhost || exit 1
    SHELL ["/bin/sh", "-c", "-x"]
    ONBUILD RUN echo child
    ONBUILD COPY . /x
    ENTRYPOINT ["/bin/sh", "-c"]
    CMD ["echo", "hi"]
    MAINTAINER somebody <s@example.com>
  `,
    { differs: withoutHealthcheck },
  ),
  build(
    "config-resets",
    `
    FROM busybox AS a
    CMD ["x"]
    ENTRYPOINT ["y"]
    FROM a AS b
    ENTRYPOINT ["z"]
    FROM a AS c
    ENTRYPOINT []
    CMD []
    FROM b
    HEALTHCHECK NONE
    CMD shell form $X
  `,
    { differs: withoutHealthcheck },
  ),
  build(
    "config-entrypoint-clears-cmd",
    `
    FROM busybox
    ENTRYPOINT exec top -b
  `,
  ),
  build(
    "config-cmd-then-entrypoint",
    `
    FROM busybox
    CMD echo 1
    ENTRYPOINT ["e"]
    CMD ["2"]
  `,
  ),
  build(
    "config-args",
    `
    ARG TAG=latest
    ARG OUTER=o
    FROM busybox AS x
    ARG OUTER
    ARG INNER=i
    ARG EMPTY
    ARG TWO=2 THREE=3
    ENV O=$OUTER I=$INNER E=$EMPTY P=$TARGETARCH
    ARG TARGETARCH
    ENV Q=$TARGETARCH
    RUN echo $OUTER $INNER $EMPTY $TWO > /x
    LABEL l="\${INNER}-\${OUTER}"
    ARG INNER=later
    RUN echo $INNER > /y
  `,
    { flags: ["--build-arg=INNER=flag", "--build-arg=HTTP_PROXY=http://p:1"] },
  ),
  build(
    "config-onbuild",
    `
    FROM before
    RUN echo after > /after
  `,
    {
      before:
        'FROM busybox\nONBUILD ARG V=1\nONBUILD COPY a.txt /copied\nONBUILD RUN echo $V > /onbuild\nONBUILD WORKDIR /work\nONBUILD ENV E=e\nENV BASE=base\nCMD ["from", "base"]\nWORKDIR /base\n',
      files: { "a.txt": "a\n" },
    },
  ),
  build(
    "config-inherited",
    `
    FROM before
    ENV PATH=/x:$PATH
    EXPOSE 2
    VOLUME /v2
    LABEL b=2
    RUN pwd > /tmp/pwd; id -u >> /tmp/pwd; echo $OLD >> /tmp/pwd
    COPY a.txt rel/
  `,
    {
      before:
        'FROM busybox\nENV OLD=old\nEXPOSE 1\nVOLUME /v1\nLABEL a=1\nUSER 9:9\nWORKDIR /base\nSTOPSIGNAL 9\nHEALTHCHECK CMD x\nENTRYPOINT ["e"]\nCMD ["c"]\nSHELL ["/bin/sh","-ec"]\n',
      files: { "a.txt": "a\n" },
    },
  ),
  build(
    "config-epoch",
    `
    FROM busybox
    WORKDIR /w/x
    COPY a.txt /p/q/
    LABEL e=$SOURCE_DATE_EPOCH
  `,
    { files: { "a.txt": "a\n" }, flags: ["--build-arg=SOURCE_DATE_EPOCH=1234567890"] },
  ),
  build(
    "config-target",
    `
    FROM busybox AS one
    RUN echo 1 > /1
    FROM one AS two
    RUN echo 2 > /2
    CMD two
    FROM two AS three
    RUN exit 1
  `,
    { flags: ["--target=TWO"] },
  ),
  build(
    "config-labels-flag",
    `
    FROM scratch
    LABEL a=file
    COPY Dockerfile /
  `,
    { flags: ["--label=a=flag", "--label=b=x y"] },
  ),
  build(
    "config-scratch-empty",
    `
    FROM scratch
  `,
  ),
  build(
    "config-scratch-metadata",
    `
    FROM scratch
    ENV A=1
    CMD ["/x"]
    WORKDIR /
  `,
  ),
  build(
    "config-base-only",
    `
    FROM busybox
  `,
  ),
  build(
    "config-copy-order-empty-layers",
    `
    FROM busybox
    COPY none /
    WORKDIR /etc
    RUN true
    WORKDIR /new
  `,
    { files: { none: { directory: true } } },
  ),
  build(
    "config-escapes",
    `
    # escape=\`
    FROM busybox
    ENV A=x\`
      B=y
    LABEL q='single $A' d="double $A \`$A" u=$A\`$A
    RUN echo a &&\`
      echo b > /b
  `,
  ),
  build(
    "config-variables",
    `
    FROM busybox
    ARG V=foobarbar
    ENV A=\${V#foo} B=\${V##*bar} C=\${V%bar} D=\${V%%bar*} E=\${V/bar/X} F=\${V//bar/X} G=\${V:?err}
    ENV H="\\$V" I='$V' J=$V$V K=\${V}_\${NOPE-none}
    WORKDIR /\${V}/x
    COPY $V.txt \${V}/
    EXPOSE \${PORT:-99}
    USER \${WHO:-7}
    STOPSIGNAL \${SIG:-SIGINT}
    VOLUME \${DIR:-/vol}
  `,
    { files: { "foobarbar.txt": "x\n" } },
  ),
  build(
    "config-heredoc-history",
    `
    FROM busybox
    RUN <<EOF
    echo 1

    echo 2
    EOF
    COPY <<a <<b /x/
    1
    a
    2
    b
    RUN --mount=type=tmpfs,target=/t --network=none echo flags
    RUN   echo   many    spaces
    ADD --chmod=600 Dockerfile* /d/
    COPY --from=busybox --chown=1 /etc/group /g
  `,
    { differs: (line) => line.replace(/^d\/Dockerfile file.*/, "d/Dockerfile") },
  ),
  build(
    "config-platform",
    `
    FROM --platform=$BUILDPLATFORM busybox AS b
    ARG TARGETPLATFORM BUILDPLATFORM TARGETOS
    RUN echo $TARGETPLATFORM $BUILDPLATFORM $TARGETOS > /p
    FROM scratch
    COPY --from=b /p /p
  `,
    { flags: ["--platform=linux/arm64"] },
  ),
  build(
    "config-wrong-order",
    `
    RUN x
    FROM busybox
  `,
  ),
  build(
    "add-archives",
    `
    FROM scratch
    ADD a.tar /plain/
    ADD a.tar.gz /gzip/
    ADD a.tar a.tar.gz /both/
    ADD a.tar /name-without-slash
    ADD --unpack=false a.tar /kept/
    ADD --unpack=false a.tar.gz /kept.gz
    ADD --chown=4:5 --chmod=700 a.tar /owned/
    COPY a.tar /copied/
    ADD text.tar /text/
    ADD e.tar.bz2 /bz/
    ADD e.tar.xz /xz/
  `,
    { files: archives() },
  ),
  build(
    "add-archive-over-existing",
    `
    FROM busybox
    RUN mkdir -p /x/dir && echo old > /x/dir/file && ln -s /etc /x/link && echo f > /x/empty && chmod 700 /x
    ADD a.tar /x/
    ADD a.tar.gz /
  `,
    { files: archives() },
  ),
  build(
    "add-files",
    `
    FROM scratch
    ADD d /d
    ADD d/* /e/
    ADD --exclude=x d /f
    ADD --chmod=711 --chown=1:1 d/x /g/
    ADD --link d /h
  `,
    { files: { "d/x": "x\n", "d/y/z": "z\n", "d/l": { link: "x" } } },
  ),
  ...ignoreCases(),
];

/** How the history tells of a HEALTHCHECK changed between BuildKit 0.25 and 0.32. */
export function withoutHealthcheck(line: string): string {
  return line.replace(/^- HEALTHCHECK .*/, "- HEALTHCHECK");
}

function archives(): NonNullable<ReferenceCase["files"]> {
  return {
    "a.tar": { bytes: archive },
    "a.tar.gz": { bytes: archiveGzip },
    "e.tar.bz2": { bytes: archiveBzip2 },
    "e.tar.xz": { bytes: archiveXz },
    "text.tar": "no archive\n",
  };
}

function ignoreCases(): ReferenceCase[] {
  const files = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    ".hidden": "h\n",
    "dir/a.txt": "da\n",
    "dir/keep": "k\n",
    "dir/sub/x": "x\n",
    "dir/sub/y.txt": "y\n",
    "node_modules/m/index.js": "m\n",
    "node_modules/n/index.js": "n\n",
    "sp ace": "s\n",
    "dir2/empty": { directory: true as const },
  };
  const ignore = (name: string, text: string) =>
    build(
      `ignore-${name}`,
      `
      FROM scratch
      COPY . /x/
    `,
      { files: { ...files, ".dockerignore": text } },
    );
  return [
    ignore("plain", "a.txt\ndir/sub\n"),
    ignore("negated", "*\n!dir\n!b.txt\n"),
    ignore("stars", "**/*.txt\n!dir/sub/y.txt\n"),
    ignore("slashes", "/dir/\nnode_modules/\n"),
    ignore("itself", "Dockerfile\n.dockerignore\n"),
    ignore("included-again", "node_modules\n!node_modules/m\ndir/*\n!dir/sub\ndir/sub/x\n"),
    ignore("comments", "# comment\n\n  a.txt  \n!#x\n\\#no\n"),
    ignore("classes", "[a-b].txt\n?p ace\nd*2\n"),
    ignore("dots", "./a.txt\ndir/../b.txt\n.\n!dir/keep\n"),
    ignore("all", "*\n"),
    ignore("double-star-end", "dir/**\n!dir/keep\n**/m/**\n"),
    build(
      "ignore-wildcard-copy",
      `
      FROM scratch
      COPY dir* /x/
      COPY node_modules/*/index.js /y/
    `,
      { files: { ...files, ".dockerignore": "**/a.txt\nnode_modules/n\ndir2\n" } },
    ),
    build(
      "ignore-missing",
      `
      FROM scratch
      COPY a.txt /x
    `,
      { files: { ...files, ".dockerignore": "a.txt\n" } },
    ),
    build(
      "ignore-of-dockerfile-name",
      `
      FROM scratch
      COPY . /x/
    `,
      { files: { ...files, ".dockerignore": "a.txt\n", "Dockerfile.dockerignore": "b.txt\n" } },
    ),
  ];
}
