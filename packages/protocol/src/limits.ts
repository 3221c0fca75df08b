/**
 * The bounds of protocol v2. Both ends enforce them: a sender refuses to send what is beyond them (the job then runs
 * at home), a receiver closes the connection. They are checked before memory is taken.
 */

/** Payload of one frame on the wire, compressed or not. Large enough for a job that declares 20,000 new files. */
export const maxFrameBytes = 1 << 20;

/** Data frames that an end has begun to send in pieces at a time: one of each priority, and room for another one. */
export const maxOpenPieces = 4;

/** The smallest `maxFrameBytes` a peer may ask for: one data chunk has to fit. */
export const minFrameBytes = 1 << 16;

/** JSON text of one message after decompression. 8 MiB parse in some 50 ms, which nobody else should wait for longer. */
export const maxMessageBytes = 8 << 20;

/** Bytes of one data frame after decompression. */
export const maxDataFrameBytes = 1 << 20;

/** zstd window of a compressed payload, as a power of two: what a decoder may be made to allocate. 2 MiB, level 3's own. */
export const maxZstdWindowLog = 21;

/** Of a blob or output that is told by how it differs from another, and of that other: both are held in memory. */
export const maxDeltaBytes = 16 << 20;

/** Of a source that is told by how it differs from its last version, and of that: a client sends many at once. */
export const maxBlobDeltaBytes = 1 << 20;

/** Depth of arrays and objects in a message; the deepest of ours has 4. */
export const maxMessageDepth = 16;

/** Arrays, objects and members in one message: a value costs up to 40 bytes of heap, whatever its text takes. */
export const maxMessageValues = 1 << 19;

/** The v2 hello and the answers to it. */
export const maxHelloBytes = 16 << 10;

/** A homcc 1.x ArgumentMessage holds the whole path-to-hash map: 55 kB for 500 headers. */
export const maxV1ArgumentBytes = 4 << 20;

/** Linux' PATH_MAX. */
export const maxPathLength = 4096;

/** Linux' MAX_ARG_STRLEN: the longest single argument or variable a kernel hands to a program. */
export const maxArgumentLength = 131_072;

export const maxArguments = 16_384;
export const maxSteps = 16;
export const maxEnvironmentVariables = 128;
export const maxOutputs = 256;
export const maxUndeclared = 256;
export const maxUnlisted = 16;

/** Entries that one job declares, and digests that one `missing` asks for; more go into the session by other jobs, or the job stays at home. */
export const maxDeclaredEntries = 32_768;

/** Digests that one `prove` asks for; the rest is asked for afterwards. */
export const maxProvenDigests = 32_768;

/** Of a blob that is proven by a hash: both ends hold or read it whole. A larger one is sent. */
export const maxProvenBytes = 16 << 20;

/** Numbers of entries that one job names, files and absent paths together. */
export const maxJobEntries = 131_072;

/** Entries of one session. Chromium with its generated headers has some 300,000; 300 bytes of heap each. */
export const maxSessionEntries = 1 << 19;

/** Characters of all paths and link targets of one session together. */
export const maxSessionPathCharacters = 64 << 20;

/** Numbers, agent and server names, labels, locale names, executor names. */
export const maxNameLength = 512;

/** Texts for people: reasons and hints. */
export const maxTextLength = 4096;

export const maxCapabilities = 64;

/** Streams of one connection open at once: jobs in flight plus uploads. */
export const maxOpenStreams = 4096;

/** Bytes a ping carries and its pong repeats. */
export const maxPingBytes = 64;

export const maxTimeoutMs = 24 * 3600 * 1000;

/** Blobs that one large file of a toolchain is uploaded as. */
export const maxFilePieces = 8192;

/** Of one of them: what a cut connection costs at most. */
export const maxFilePieceBytes = 4 << 20;

/** Of the list of a toolchain's files; Debian's gcc has 60 kB, a clang with all its headers 200. */
export const maxManifestBytes = 8 << 20;

/** Files, folders and links of a toolchain. */
export const maxToolchainEntries = 65_536;

/** Compilers that an inventory tells of, and names of one. */
export const maxToolchains = 64;
export const maxToolchainNames = 16;

/** Profiles that an inventory tells of; and containers. */
export const maxSandboxes = 128;

/** Reasons why an inventory lacks something. */
export const maxProblems = 8;

/** Bytes of standard output, standard error or one output of a job. */
export const maxOutputBytes = 4 * 2 ** 30;
