/**
 * The shapes that cross the wire, and the few that modules of this page share.
 *
 * Times end in `_us`: whole microseconds of the run's virtual clock. Nodes are letters, clients are
 * digits, so either is an address. Everything in a `ClusterState` is read-only by convention: the
 * store copies what a patch changes and leaves every older document as it was.
 */

type SettingValue = string | number | boolean;
type Tone = "info" | "good" | "bad" | "vote";

interface Entry {
  index: number;
  term: number;
  kind: "write" | "cas" | "delete" | "noop";
  key: string | null;
  value: string | null;
  expected: string | null;
  operation: number | null;
  /** What fits a log cell: `x=1`. */
  label: string;
}

interface DiscardedEntry extends Entry {
  reason: "conflict" | "crash";
}

interface StoredValue {
  value: string;
  index: number;
  term: number;
}

interface Replica {
  role: "leader" | "follower" | "candidate";
  term: number;
  leader: string | null;
  votes: string[];
  handing_over_to: string | null;
  /** When the election timer fires, and when it was last set: the two ends of the ring. */
  election_at_us: number | null;
  election_set_us: number | null;
  /** The last 400 at most; the first one's index may be greater than 1. */
  log: Entry[];
  flushed_index: number;
  commit_index: number;
  applied_index: number;
  store: Record<string, StoredValue>;
  discarded: DiscardedEntry[];
}

interface NodeState {
  state: "up" | "dead" | "paused";
  voter: boolean;
  /** Only what differs from the cluster's settings. */
  settings: Record<string, SettingValue>;
  /** One per partition; the everyday cluster has one partition. */
  replicas: Replica[];
}

interface LinkState {
  cut: boolean;
  latency_us: number | null;
  loss_percent: number;
}

interface ClientState {
  knows: string | null;
  load: { write: number | null; read: number | null };
  last: number | null;
}

interface Operation {
  id: number;
  client: string;
  kind: "write" | "read" | "cas" | "delete";
  key: string;
  value: string | null;
  expected: string | null;
  target: string;
  attempts: number;
  called_us: number;
  returned_us: number | null;
  outcome: "pending" | "ok" | "failed" | "unknown";
  result: string | null;
  version: number;
  node: string | null;
  index: number | null;
  term: number | null;
  acknowledged_us: number | null;
  lost: boolean;
  lost_because: string | null;
  stale: boolean | null;
  staleness: string | null;
}

type MessageKind =
  | "append" | "heartbeat" | "reply" | "vote-request" | "vote" | "hand-over"
  | "write" | "read" | "cas" | "delete" | "ok" | "refused";

interface MessageState {
  id: number;
  kind: MessageKind;
  source: string;
  target: string;
  sent_us: number;
  arrives_us: number;
  label: string;
  term: number | null;
  /** Entries carried. */
  count: number;
  operation: number | null;
  success: boolean | null;
  dropped_us: number | null;
  reason: "loss" | "cut" | "dead" | "asked" | null;
}

interface Verdict {
  held: boolean | null;
  title: string;
  says: string;
  /** When broken: the same in so few words that they fit behind the title. */
  brief: string;
}

/** The whole visible state of a run at one moment. */
interface ClusterState {
  run: { system: string; seed: number; modified: string[] };
  settings: Record<string, SettingValue>;
  nodes: Record<string, NodeState>;
  /** What the next new node is called; null when all names are taken. A name is never used again. */
  next_node: string | null;
  /** Key `A>B`; only directions that differ from the settings. */
  links: Record<string, LinkState>;
  groups: string[][] | null;
  clients: Record<string, ClientState>;
  operations: Record<string, Operation>;
  messages: Record<string, MessageState>;
  verdicts: Record<string, Verdict>;
  command: string | null;
}

type Path = (string | number)[];
/** One change: set, delete, append, keep the first n, drop the first n. */
type Patch =
  | ["=", Path, unknown]
  | ["-", Path]
  | ["+", Path, unknown]
  | ["<", Path, number]
  | [">", Path, number];

/** What one event of the run changed, and the sentence that tells it. */
interface Step {
  sequence: number;
  at_us: number;
  name: string;
  cause: number | null;
  patches: Patch[];
  text: string | null;
  tone: Tone | null;
}

interface Telling {
  sequence: number;
  at_us: number;
  name: string;
  text: string;
  tone: Tone | null;
}

interface Script {
  title: string;
  about: string;
  lines: { text: string; done: boolean }[];
  /** Positions of the lines that expected what did not come true. */
  broken: number[];
}

interface Frame {
  number: number;
  now_us: number;
  playing: boolean;
  speed: number;
  steps: Step[];
  /** Something to tell the visitor about the room, such as why it stands still. */
  notice?: string;
  /** How many lines of the scenario's script are done, once some are. */
  script_done?: number;
  /** Which of them expected what did not come true, once there are such. */
  script_broken?: number[];
}

/** Everything at one moment; what a page starts from. (`Keyframe` is taken by the DOM.) */
interface RunKeyframe {
  number: number;
  now_us: number;
  playing: boolean;
  speed: number;
  /** The last event included; -1 for none. */
  sequence: number;
  state: ClusterState;
  recent: Telling[];
  start: { seed: number; settings: Record<string, SettingValue>; scenario: string | null };
  script: Script | null;
  notice?: string;
}

/** A refusal in words: what is wrong, where, and what would fit. */
interface Refusal {
  says: string;
  word?: string | null;
  at?: number | null;
  fits?: string[];
}

interface Answer {
  ok: boolean;
  error?: Refusal;
  completions?: string[];
  hint?: string;
  /** The life lines of writes, newest first. */
  lines?: LifeLine[];
  findings?: Finding[];
}

/** A breach of a promise, and the operations that show it. */
interface Finding {
  says: string;
  operations: number[];
}

/** One copy of an entry on one node. */
interface EntryCopy {
  received_us: number | null;
  flushed_us: number | null;
  applied_us: number | null;
  gone_us: number | null;
  gone_because: string | null;
}

/** Where a write went, and what became of it. */
interface LifeLine {
  operation: number;
  client: string;
  label: string;
  called_us: number;
  returned_us: number | null;
  outcome: Operation["outcome"];
  /** When OK was sent, and by which node. */
  confirmed_us: number | null;
  confirmed_by: string | null;
  /** The log entries it became: more than one when a retry was not recognised. */
  entries: {
    index: number;
    term: number;
    created_by: string;
    created_us: number;
    committed_us: number | null;
    copies: Record<string, EntryCopy>;
  }[];
  /** Whether the log that counts holds it. */
  is_present: boolean;
  lost_because: string | null;
  /** How a write without an answer turned out to be there after all. */
  surprise: string | null;
}

type ConnectionStatus = "connecting" | "open" | "lost" | "closed";

interface StartOptions {
  seed?: number;
  settings?: Record<string, SettingValue>;
  scenario?: string;
}

/** The one way to talk to the server. */
interface Connection {
  command(text: string): Promise<Answer>;
  playback(action: "play" | "pause" | "step" | "speed", speed?: number): Promise<Answer>;
  restart(options: StartOptions): Promise<Answer>;
  complete(text: string): Promise<Answer>;
  resync(): void;
  ledger(): Promise<Answer>;
  evidence(promise: string): Promise<Answer>;
}

/** Something on the diagram that a person can point at. */
type Target =
  | { kind: "node"; id: string }
  | { kind: "client"; id: string }
  | { kind: "link"; source: string; target: string }
  | { kind: "message"; id: number };

interface Point {
  x: number;
  y: number;
}

/** A cubic curve that something travels along. */
type Curve = [Point, Point, Point, Point];

/** What a page offers its widgets. Widgets know this and never each other. */
interface Page {
  store: import("./store.js").Store;
  clock: import("./store.js").Clock;
  /** Sends commands one after another; a refusal is shown and ends the list. */
  send(...texts: string[]): Promise<boolean>;
  playback(action: "play" | "pause" | "step" | "speed", speed?: number): void;
  restart(options: StartOptions): Promise<boolean>;
  connection: Connection;
  /** The node that panels are about: the chosen one, or else the leader. */
  subject(): string | null;
  /** The node that a person chose. */
  selected: string | null;
  select(node: string | null): void;
  say(sentence: string, tone?: Tone): void;
  open(what: "palette" | "help" | "table" | "ledger"): void;
  /** Shows what speaks for or against a promise. */
  judge(promise: string): void;
  /** What can be done to a node as it is. */
  nodeActions(node: string): Action[];
  /** Opens a menu at an element or a point of the window. */
  menu(title: string, actions: Action[], at: Element | Point): void;
}

/** A few words to do something with: a menu's line or a panel's button. */
interface Action {
  label: string;
  /** What it sends. */
  commands?: string[];
  /** A further menu in place of commands. */
  more?: Action[];
  /** Anything else in place of commands. */
  run?(): void;
  tone?: "danger";
  /** A second, quieter line. */
  about?: string;
}

interface KeyHelp {
  keys: string;
  says: string;
}

/** The little that this page uses of the Socket.IO client. */
interface ClientSocket {
  on(event: "connect" | "connect_error", listener: () => void): this;
  on(event: "disconnect", listener: (reason: string) => void): this;
  on(event: "keyframe", listener: (keyframe: RunKeyframe) => void): this;
  on(event: "frame", listener: (frame: Frame) => void): this;
  on(event: "room.closed", listener: (closing: { says: string }) => void): this;
  timeout(ms: number): { emitWithAck(event: string, payload: unknown): Promise<unknown> };
  connect(): this;
  disconnect(): this;
  connected: boolean;
}
