// Header blocks as bytes, and what becomes of them: RFC 7541's own examples (Appendix C), and everything that it or RFC
// 9113 forbids. Blocks of one case go through one decoder.

export interface HpackCase {
  readonly name: string;
  /** Hex; blanks are for the reader. */
  readonly blocks: readonly string[];
  /** What is announced as SETTINGS_HEADER_TABLE_SIZE; 4096 where missing. */
  readonly tableBytes?: number;
  /** The mesh transport's decoder: names in any case, private pseudo-headers. */
  readonly isMesh?: boolean;
  /** Per block its fields, `name: value`; one that makes the message malformed begins with `!`. */
  readonly fields?: readonly (readonly string[])[];
  /** The last block is a compression error, with this said about it. */
  readonly error?: RegExp;
}

/** Text as hex. */
const text = (latin1: string): string => Buffer.from(latin1, "latin1").toString("hex");
/** A string literal (RFC 7541 §5.2) without Huffman code, up to 126 bytes. */
const string = (latin1: string): string => Buffer.of(latin1.length).toString("hex") + text(latin1);
/** Literals with a name of their own: without indexing, and with. */
const literal = (name: string, value: string): string => `00 ${string(name)} ${string(value)}`;
const inserted = (name: string, value: string): string => `40 ${string(name)} ${string(value)}`;
/** `:path` without indexing and a Huffman string of these bytes. */
const huffman = (hex: string): string => `04 ${Buffer.of(0x80 | (hex.length / 2)).toString("hex")} ${hex}`;

function decoded(cases: Readonly<Record<string, readonly [blocks: readonly string[], ...fields: string[][]]>>): HpackCase[] {
  return Object.entries(cases).map(([name, [blocks, ...fields]]) => ({ name, blocks, fields }));
}

function refused(error: RegExp, cases: Readonly<Record<string, readonly string[]>>): HpackCase[] {
  return Object.entries(cases).map(([name, blocks]) => ({ name, blocks, error }));
}

function malformed(cases: Readonly<Record<string, readonly [name: string, value: string]>>): HpackCase[] {
  return Object.entries(cases).map(([title, [name, value]]) => ({
    name: title,
    blocks: [literal(name, value), inserted(name, value), "be"],
    fields: [[`!${name}: ${value}`], [`!${name}: ${value}`], [`!${name}: ${value}`]],
  }));
}

const REQUEST_1 = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const REQUEST_2 = [...REQUEST_1, "cache-control: no-cache"];
const REQUEST_3 = [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"];
const LOCATION = "location: https://www.example.com";
const DATE_21 = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const DATE_22 = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const RESPONSES = [
  [":status: 302", "cache-control: private", DATE_21, LOCATION],
  [":status: 307", "cache-control: private", DATE_21, LOCATION],
  [":status: 200", "cache-control: private", DATE_22, LOCATION, "content-encoding: gzip", COOKIE],
];
/** What is left in the table behind the examples of C.5 and C.6. */
const AFTER_RESPONSES = [COOKIE, "content-encoding: gzip", DATE_22];

/** The table size of C.5 and C.6, as the update that a peer with such a table begins with. */
const TABLE_256 = "3f e1 01";

const RESPONSE_BLOCKS = [
  `${TABLE_256} 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
  "4803333037c1c0bf",
  "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
];
const RESPONSE_BLOCKS_HUFFMAN = [
  `${TABLE_256} 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
  "4883640effc1c0bf",
  "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
];

const RFC_EXAMPLES: readonly HpackCase[] = [
  ...decoded({
    "C.1.1: 10 in 5 bits": [["2a 82"], [":method: GET"]],
    "C.1.2: 1337 in 5 bits": [["3f 9a 0a 82"], [":method: GET"]],
    "C.2.1: a literal with indexing": [
      ["400a637573746f6d2d6b65790d637573746f6d2d686561646572", "be"],
      ["custom-key: custom-header"],
      ["custom-key: custom-header"],
    ],
    "C.2.2: a literal without indexing": [["040c2f73616d706c652f70617468"], [":path: /sample/path"]],
    "C.2.3: a literal that is never indexed": [["100870617373776f726406736563726574"], ["password: secret"]],
    "C.2.4: an indexed field": [["82"], [":method: GET"]],
    "C.3: requests without Huffman code": [
      [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        "be bf c0",
      ],
      REQUEST_1,
      REQUEST_2,
      REQUEST_3,
      ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"],
    ],
    "C.4: requests with Huffman code": [
      ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", "be bf c0"],
      REQUEST_1,
      REQUEST_2,
      REQUEST_3,
      ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"],
    ],
    "C.5: responses without Huffman code, with eviction": [[...RESPONSE_BLOCKS, "be bf c0"], ...RESPONSES, AFTER_RESPONSES],
    "C.6: responses with Huffman code, with eviction": [[...RESPONSE_BLOCKS_HUFFMAN, "be bf c0"], ...RESPONSES, AFTER_RESPONSES],
  }),
  ...refused(/no table entry 65/, {
    "C.5: what was evicted": [...RESPONSE_BLOCKS, "c1"],
    "C.6: what was evicted": [...RESPONSE_BLOCKS_HUFFMAN, "c1"],
  }),
];

const TABLE_34 = "3f 03";
const SIXTY_SIX = Array.from({ length: 66 }, (_, index) => inserted("a", String.fromCharCode(0x30 + index))).join(" ");
const SIXTY_SIX_FIELDS = Array.from({ length: 66 }, (_, index) => `a: ${String.fromCharCode(0x30 + index)}`);

const TABLES: readonly HpackCase[] = [
  ...decoded({
    "an empty block": [[""], []],
    "the first and the last entry of the static table": [["81 bd"], [":authority: ", "www-authenticate: "]],
    "an index that fills its prefix": [[SIXTY_SIX, "ff 00"], SIXTY_SIX_FIELDS, ["a: 0"]],
    "an index with as many zeros put in as we take": [[SIXTY_SIX, "ff 80 80 80 00"], SIXTY_SIX_FIELDS, ["a: 0"]],
    "literals named by a dynamic entry": [
      [`${inserted("a", "1")} 0f 2f ${string("2")} 1f 2f ${string("3")} 7e ${string("4")}`],
      ["a: 1", "a: 2", "a: 3", "a: 4"],
    ],
    "an entry that pushes out the one that names it (RFC 7541 §4.4)": [
      [`${TABLE_34} ${inserted("a", "1")}`, `7e ${string("2")}`, "be"],
      ["a: 1"],
      ["a: 2"],
      ["a: 2"],
    ],
    "an entry larger than the table, which is no error (RFC 7541 §4.4)": [
      [`${TABLE_34} ${inserted("a", "1")}`, inserted("a", "22")],
      ["a: 1"],
      ["a: 22"],
    ],
    "several size updates at the start": [[`20 3f e1 1f ${TABLE_34} 82`], [":method: GET"]],
    "a size update alone": [["20", "82"], [], [":method: GET"]],
  }),
  ...refused(/no table entry/, {
    "index 0": ["80"],
    "an index behind the static table, the dynamic one being empty": ["be"],
    "an index far beyond the tables": ["82 ff ff ff ff 7f"],
    "a literal with indexing, named by nothing": [`7e ${string("a")}`],
    "a literal without indexing, named by nothing": [`0f 2f ${string("a")}`],
    "a literal that is never indexed, named by nothing": [`1f 2f ${string("a")}`],
    "what a literal without indexing would have left": [`${literal("a", "1")} be`],
    "what a literal that is never indexed would have left": [`10 ${string("a")} ${string("1")} be`],
    "what an entry larger than the table pushed out": [`${TABLE_34} ${inserted("a", "1")}`, inserted("a", "22"), "be"],
    "what a size update pushed out": [inserted("a", "1"), "20 3f e1 1f be"],
    "what the lower of two size updates pushed out": [`${inserted("a", "1")} ${inserted("a", "2")}`, `${TABLE_34} 3f e1 1f be`, "bf"],
  }),
  ...refused(/above the 4096 announced/, { "a size update above what was announced": ["3f e2 1f"] }),
  {
    name: "a size update above a smaller announcement",
    tableBytes: 256,
    blocks: ["3f e2 01"],
    error: /257 bytes, above the 256 announced/,
  },
  { name: "a size update to a larger announcement", tableBytes: 8192, blocks: ["3f e1 3f 82"], fields: [[":method: GET"]] },
  ...refused(/table size update after a field/, {
    "a size update behind a field": ["82 20"],
    "a size update between fields": ["20 82 20 82"],
  }),
];

const BOUNDS: readonly HpackCase[] = [
  ...refused(/truncated/, {
    "an index without its end": ["82 ff"],
    "an index without its last byte": ["82 ff 80"],
    "a size update without its end": ["3f"],
    "a name's index without its end": ["0f"],
    "a literal without a name": ["40"],
    "a name without its end": ["40 02 61"],
    "a literal without a value": [`40 ${string("a")}`],
    "a value without its end": ["04 02 61"],
    "a Huffman value without its end": ["04 82 1f"],
    "a length without its end": ["04 7f"],
    "a length beyond the block": ["04 7f ff ff ff 7f 61"],
  }),
  ...refused(/integer too long/, {
    "an index of more than 28 bits": ["ff ff ff ff ff 0f"],
    "an index that would wrap to 2": ["ff 83 ff ff ff ff ff ff ff ff ff 01"],
    "an index with too many zeros put in": ["ff 80 80 80 80 00"],
    "a size update with too many zeros put in": ["3f 80 80 80 80 00"],
    "a name's length of more than 28 bits": ["00 7f 80 80 80 80 01"],
    "a value's length of more than 28 bits": ["04 ff 80 80 80 80 80 80 01"],
  }),
];

const HUFFMAN: readonly HpackCase[] = [
  ...decoded({
    "an empty Huffman string": [[huffman("")], [":path: "]],
    "a code of 8 bits, without padding": [[huffman("f8")], [":path: &"]],
    "a padding of 1 bit": [[huffman("b9")], [":path: :"]],
    "a padding of 3 bits": [[huffman("1f")], [":path: a"]],
    "a padding of 7 bits": [[huffman("07fd7f")], [":path: 0#"]],
    "a Huffman name": [["00 81 1f 81 1f"], ["a: a"]],
    "a Huffman string with a line feed, which is code 3ffffffc": [[huffman("fffffff3")], ["!:path: \n"]],
  }),
  ...refused(/invalid Huffman code/, {
    "EOS alone": [huffman("fffffffc")],
    "EOS with a padding of ones": [huffman("ffffffff")],
    "EOS behind a symbol": [huffman("1fffffffff")],
    "EOS before a symbol": [huffman("fffffffc1f")],
    "a padding of 8 bits": [huffman("f8ff")],
    "a padding of 8 bits alone": [huffman("ff")],
    "a padding of 11 bits": [huffman("1fff")],
    "a padding of zeros": [huffman("18")],
    "a padding with one zero": [huffman("1e")],
    "a code that is cut off": [huffman("fe")],
    "bad code in a name": ["00 81 ff 00"],
  }),
];

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

const SYNTAX: readonly HpackCase[] = [
  ...decoded({
    "every character of a name": [[literal(TOKEN, "1")], [`${TOKEN}: 1`]],
    "blanks and tabs inside a value": [[literal("a", "b \t c")], ["a: b \t c"]],
    "bytes above ASCII in a value": [[literal("a", "\x80\xff")], ["a: \x80\xff"]],
    "an empty value": [[literal("a", "")], ["a: "]],
    "a pseudo-header by its literal name": [[literal(":protocol", "websocket")], [":protocol: websocket"]],
    "a good value behind a bad one of the same name": [[inserted("a", " "), `7e ${string("b")}`], ["!a:  "], ["a: b"]],
    "a good value behind a bad name": [[inserted("A", "b"), `7e ${string("b")}`], ["!A: b"], ["!A: b"]],
  }),
  // RFC 9113 §8.2.1, §8.3.
  ...malformed({
    "a name in upper case": ["Host", "a"],
    "an upper-case letter in a name": ["x-A", "b"],
    "an empty name": ["", "a"],
    "a blank in a name": ["a b", "c"],
    "a blank behind a name": ["a ", "c"],
    "a colon in a name": ["a:b", "c"],
    "a colon behind a name": ["a:", "c"],
    "a colon alone": [":", "c"],
    "a pseudo-header that nobody knows": [":foo", "a"],
    "a pseudo-header in upper case": [":Method", "GET"],
    "a pseudo-header of the mesh transport": [":version", "1.1"],
    "a line feed in a name": ["a\nb", "c"],
    "a carriage return in a name": ["a\rb", "c"],
    "a zero in a name": ["a\0", "c"],
    "a byte above ASCII in a name": ["\xe4", "c"],
    "DEL in a name": ["a\x7f", "c"],
    "a line feed in a value": ["a", "b\nc"],
    "a carriage return in a value": ["a", "b\rc"],
    "a whole header in a value": ["a", "b\r\nc: d"],
    "a zero in a value": ["a", "b\0"],
    "a control byte in a value": ["a", "\x01b"],
    "another control byte in a value": ["a", "b\x1fc"],
    "DEL in a value": ["a", "b\x7fc"],
    "a blank before a value": ["a", " b"],
    "a blank behind a value": ["a", "b "],
    "a tab before a value": ["a", "\tb"],
    "a tab behind a value": ["a", "b\t"],
    "a blank as a value": ["a", " "],
    "a bad value of a pseudo-header": [":path", "/ "],
  }),
  ...[
    ...decoded({
      "names in any case, in the mesh": [[inserted("X-Request-ID", "1"), `7e ${string("2")}`], ["X-Request-ID: 1"], ["X-Request-ID: 2"]],
      "private pseudo-headers, in the mesh": [
        [literal(":version", "1.1") + literal(":target", "absolute") + literal(":reason", "Fine")],
        [":version: 1.1", ":target: absolute", ":reason: Fine"],
      ],
    }),
    ...malformed({
      "an unknown pseudo-header, in the mesh": [":foo", "a"],
      "a pseudo-header in upper case, in the mesh": [":PATH", "/"],
      "a blank in a name, in the mesh": ["A b", "c"],
      "a line feed in a value, in the mesh": ["A", "b\nc"],
    }),
  ].map((each) => ({ ...each, isMesh: true })),
];

export const HPACK_CASES: readonly HpackCase[] = [...RFC_EXAMPLES, ...TABLES, ...BOUNDS, ...HUFFMAN, ...SYNTAX];
