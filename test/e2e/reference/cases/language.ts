// Corners of the language in files as people write them: heredocs, escapes, triggers, flags that are seldom used.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the language under test look so.
import { dockerfileCase as build, type ContextFiles, type ReferenceCase } from "../case.ts";
import { withoutHealthcheck } from "./configuration.ts";

const tree: ContextFiles = {
  "src/main.c": "main\n",
  "src/lib/a.c": "a\n",
  "src/lib/a.h": "ah\n",
  "src/lib/deep/b.c": "b\n",
  "src/lib/deep/b.h": "bh\n",
  "src/test/a_test.c": "t\n",
  "docs/readme.md": "doc\n",
  "docs/img/x.png": "png\n",
  "package.json": "{}\n",
  "tools/run.sh": { text: "#!/bin/sh\necho tool\n", mode: 0o755 },
};

export const languageCases: readonly ReferenceCase[] = [
  build(
    "language-heredocs-several",
    `
    FROM busybox
    RUN <<ONE cat > /one && <<TWO cat > /two
    first $HOME
    ONE
    second
    TWO
    RUN <<-'QUOTED' sh -e
    \t# tabs go, the rest stays: $HOME
    \techo "$HOME" > /quoted
    \tif true; then
    \t\techo in >> /quoted
    \tfi
    \tQUOTED
    RUN 3<<EOF cat <&3 > /three
    by number
    EOF
  `,
  ),
  build(
    "language-heredoc-script",
    `
    FROM busybox
    RUN <<EOF
    #!/bin/sh -e
    echo "$0 $#" | sed 's/[0-9a-z]*$/N/' > /script
    EOF
    RUN <<EOF
    echo one > /lines
    false || echo two >> /lines
    EOF
  `,
  ),
  build(
    "language-heredoc-copy",
    `
    FROM busybox
    ARG NAME=world
    COPY <<greeting <<-"raw" /texts/
    hello \${NAME} \\$NAME
    greeting
    \tnot \${NAME}
    \traw
    COPY --chmod=0750 --chown=3:4 <<EOF /bin/hello
    #!/bin/sh
    echo hello
    EOF
    ADD <<empty /empty
    empty
  `,
  ),
  build(
    "language-heredoc-in-onbuild-base",
    `
    FROM before
    RUN echo after > /after
  `,
    {
      before: `FROM busybox\nONBUILD RUN <<EOF\necho trigger > /trigger\nEOF\nONBUILD COPY <<F /from-trigger\ntext\nF\nONBUILD WORKDIR /w\nONBUILD ENV T=1\n`,
    },
  ),
  build(
    "language-backtick-escape",
    `
    # escape=\`
    FROM busybox
    ENV A=C:\\dir\\ B=\`$A
    RUN echo one \`
        # a comment between
        two > /joined
    LABEL path="C:\\windows\\" quoted="a\`"b"
    COPY package.json \\odd\\
  `,
    { files: tree },
  ),
  build(
    "language-links",
    `
    FROM busybox
    COPY --link --chown=7:8 src/lib /y/
    COPY --link package.json /etc/package.json
    COPY --link --chmod=640 docs /z/
  `,
    { files: tree },
  ),
  build(
    "language-bind-mounts",
    `
    FROM busybox AS one
    RUN mkdir /o && echo 1 > /o/f
    FROM busybox
    RUN --mount=type=bind,from=one,source=/o,target=/m,rw echo 2 > /m/g && cat /m/f /m/g > /both
    RUN --mount=from=one,src=/o/f,dst=/single cat /single > /copy
    RUN --mount=target=/ctx,readonly=false cp /ctx/package.json /p && echo x > /ctx/new
    RUN --mount=target=/ctx ls /ctx | sort > /listed
  `,
    { files: tree },
  ),
  build(
    "language-mount-kinds",
    `
    FROM busybox
    RUN --mount=type=tmpfs,target=/t,size=1m echo x > /t/x && ls /t > /tmpfs
    RUN --mount=type=cache,target=/c,id=language-a,uid=5,gid=6,mode=0711 stat -c '%u %g %a' /c > /cache
    RUN --mount=type=cache,target=/c,sharing=locked,ro ls -d /c > /locked
    RUN --mount=type=secret,id=s,target=/run/s,mode=0440,uid=1,gid=2 stat -c '%u %g %a' /run/s > /secret
    RUN --mount=type=secret,id=s,env=SEEN,required=true echo \${#SEEN} > /length
    RUN --mount=type=secret,id=none ls /run/secrets > /none 2>&1 || true
  `,
    { flags: ["--secret", "id=s,env=SECRET_OF_TEST"] },
  ),
  build(
    "language-substitution",
    `
    FROM busybox
    ARG V=1.2.3-rc1
    ENV FULL=v\${V} MAJOR=\${V%%.*} REST=\${V#*.} TAIL=\${V##*.} CUT=\${V%-*}
    ENV DASH=\${V/./-} DASHES=\${V//./-} NONE=\${NOPE:-\${V:+set}} PLUS=\${NOPE+x} ESC=\\\${V} QUOTE="a \\"b\\" \${V}"
    LABEL v=$V "two words"="\${FULL} x" single='\${FULL}'
    WORKDIR /srv/\${MAJOR:?needed}/$V
    USER \${UNSET:-nobody}
    EXPOSE \${PORT:-80}/tcp 8000-8002 53/udp
    VOLUME /data/$V ["/x"]
    STOPSIGNAL \${SIG:-SIGQUIT}
  `,
  ),
  build(
    "language-args-scopes",
    `
    ARG BASE=busybox
    ARG SHARED=global
    ARG DERIVED=\${SHARED}-more
    FROM \${BASE} AS a
    ARG SHARED
    ARG DERIVED=own-\${SHARED}
    ARG GIVEN=default
    RUN echo $SHARED $DERIVED $GIVEN > /a
    FROM a
    RUN echo "$SHARED" "$DERIVED" "$GIVEN" > /b
    ARG GIVEN
    ENV GIVEN=env-\${GIVEN}
    ARG GIVEN=again
    RUN echo "$GIVEN" > /c
  `,
    { flags: ["--build-arg", "GIVEN=flag"] },
  ),
  build(
    "language-platform-args",
    `
    ARG TARGETSTAGE
    FROM --platform=$BUILDPLATFORM busybox AS tools
    ARG TARGETPLATFORM TARGETARCH BUILDOS
    RUN echo $TARGETPLATFORM $TARGETARCH $BUILDOS > /p
    FROM busybox AS final
    ARG TARGETSTAGE
    COPY --from=tools /p /p-\${TARGETSTAGE}
    RUN echo "<$TARGETVARIANT>" > /undeclared
  `,
    { flags: ["--target", "final"] },
  ),
  build(
    "language-onbuild-chain",
    `
    FROM before AS child
    FROM child
    RUN ls / | grep trig > /seen
    FROM before
    COPY --from=child /trig /copied
  `,
    {
      before: "FROM busybox\nONBUILD RUN echo trig > /trig\nONBUILD LABEL by=trigger\n",
    },
  ),
  build(
    "language-workdirs",
    `
    FROM busybox
    WORKDIR /a
    WORKDIR b
    USER 5:6
    WORKDIR c/../d
    COPY package.json .
    COPY --chown=1 docs sub
    RUN pwd > /tmp/pwd
    WORKDIR /y//./z/
    USER 0
    COPY package.json f
    RUN pwd > /pwd2
    WORKDIR w/
    WORKDIR /
  `,
    { files: tree },
  ),
  build(
    "language-shell-and-forms",
    `
    FROM busybox
    SHELL ["/bin/sh", "-e", "-c"]
    RUN [ "sh", "-c", "echo json > /json" ]
    RUN [ -n 'not json' ] && echo shell > /shell
    ENTRYPOINT exec top -b
    CMD [ "a", 'b' ]
    HEALTHCHECK --interval=1m30s --timeout=3s --start-period=1h --start-interval=250ms --retries=2 CMD wget -q localhost || exit 1
  `,
    { differs: withoutHealthcheck },
  ),
  build(
    "language-reset",
    `
    FROM before
    HEALTHCHECK NONE
    ENTRYPOINT []
    VOLUME ["/c d"]
    EXPOSE 1-3/UDP
    LABEL a=
  `,
    {
      before: "FROM busybox\nCMD x\nENTRYPOINT y\nHEALTHCHECK CMD true\nLABEL a=1 c=2\n",
      differs: withoutHealthcheck,
    },
  ),
  build(
    "language-labels-env-legacy",
    `
    FROM busybox
    ENV legacy some words  here
    LABEL legacy "in quotes" 'and' more
    ENV many=1 \\
        # inside
        words="two words" \\

        escaped=two\\ words
    RUN echo "$legacy|$many|$words|$escaped" > /env
    MAINTAINER Some One <one@example.org>
  `,
  ),
  build(
    "language-comments-and-continuations",
    `
    # check=skip=all

    # About the base
    FROM busybox
        # indented comment
    RUN echo a && \\
        # comment
        echo b \\
    # at the margin
        && echo "c # not one" > /c
    RUN echo 'x\\
    y' > /lines ; echo \\$HOME \\\\ > /esc
    run echo lower > /lower
  `,
  ),
  build(
    "language-wildcards",
    `
    FROM busybox
    COPY src/lib/[ab].? /x/
    COPY s*/l*/**/b.c /y/
    COPY docs*/r* pack* /z/
    COPY --from=busybox /etc/pass?? /etc/grou[p] /w/
    COPY src/\\[odd\\]/* /v/
  `,
    { files: { ...tree, "src/[odd]/f": "f\n" } },
  ),
  build(
    "language-add-forms",
    `
    FROM busybox
    ADD ["tools/run.sh", "with space.txt", "/j s/"]
    ADD --chown=nobody --chmod=604 package.json /n
    ADD --link docs /linked/
    ADD src/ /src/
  `,
    { files: { ...tree, "with space.txt": "s\n" } },
  ),
  build(
    "language-stage-names",
    `
    FROM busybox AS Build-1.x
    RUN echo 1 > /1
    FROM scratch AS empty
    FROM build-1.x AS again
    RUN echo 2 > /2
    FROM empty
    COPY --from=BUILD-1.X /1 /
    COPY --from=2 /2 /
    COPY --from=0 /1 /zero
  `,
  ),
  build(
    "language-network-and-security",
    `
    FROM busybox
    RUN --network=none ls /sys/class/net > /net
    RUN --network=default true
    RUN --mount=type=ssh test -z "$SSH_AUTH_SOCK" || echo socket > /ssh
  `,
  ),
  build(
    "language-symlinked-targets",
    `
    FROM busybox
    RUN mkdir -p /real/dir && ln -s real /link && ln -s /real/dir /abs
    COPY package.json /link/
    COPY docs /abs/
    COPY --link package.json /link/linked.json
    ADD src/main.c /abs
    WORKDIR /link/made
    RUN find /real | sort > /found
  `,
    { files: tree },
  ),
  build(
    "language-error-in-unused-stage",
    `
    FROM busybox AS unused
    COPY nothing-like-that /x
    FROM busybox AS unused-two
    RUN exit 7
    FROM busybox
    RUN echo fine > /fine
  `,
  ),
  build(
    "language-crlf-and-bom",
    "\ufeffFROM busybox\r\nRUN echo one \\\r\n  two > /crlf\r\nCOPY <<EOF /text\r\nline\r\nEOF\r\nENV A=b\r\n",
  ),
];
