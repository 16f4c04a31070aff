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
  /** Of a leader, by follower: the next entry it sends, and up to where their logs are known to match. */
  progress: Record<string, { next: number; match: number }>;
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

/** What makes an entry the same in two logs. */
interface LogPlace {
  index: number;
  term: number;
}

/** The whole visible state of a run at one moment. */
interface ClusterState {
  run: { system: string; seed: number; modified: string[] };
  settings: Record<string, SettingValue>;
  nodes: Record<string, NodeState>;
  /** What the next new node is called; null when all names are taken. A name is never used again. */
  next_node: string | null;
  /** By partition, the highest term that ever had a leader. Who leads for an older one is superseded. */
  led_terms: number[];
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
  /** In a comparison: the run that it happened in. */
  lane?: string;
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
  /** Progress in a lesson, when it changed. */
  lesson?: LessonState | null;
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
  start: { seed: number; settings: Record<string, SettingValue>; scenario: string | null; lanes?: Record<string, SettingValue>[] };
  script: Script | null;
  notice?: string;
  /** Which run this is: another after a restart and on another branch. */
  run: number;
  branches: Branch[];
  branch: number;
  lesson?: LessonState | null;
}

/** What is being played for a learner. */
interface LessonPlaying {
  kind: "run" | "show" | "refute" | "sentence";
  id: string;
  lines: { text: string; done: boolean }[];
}

interface LessonGoal {
  /** `keeps`: it is only not to be broken, and is true from the start. */
  clauses: { id: string; text: string; held: boolean; broken: boolean; keeps: boolean }[];
  held: number;
  of: number;
  reached: boolean;
  late: boolean;
  /** Whether the solution was played. */
  shown: boolean;
}

type LessonAnswer = string | string[] | number;

interface LessonResult {
  /** The truth in words; null for what is not measured. */
  measured: string | null;
  /** What the measured value is, where the question does not say so. */
  means: string | null;
  right: boolean | null;
  correct: string[];
  says: string;
  options: Record<string, { matched: boolean; why: string | null; misconception: string | null; show: boolean }>;
}

interface LessonQuestion {
  answer: LessonAnswer | null;
  open: boolean;
  result: LessonResult | null;
}

/** How a challenge is going. */
interface ChallengeState {
  /** Given so far in this run. */
  commands: number;
  /** How many it took to reach the goal; null before that, and when the solution was played. */
  score: number | null;
  /** What the author needed; null for a goal that cannot be reached. */
  par: number | null;
  shown: boolean;
}

/** Which controls a step keeps for later: the beginnings of their commands, or of the only ones it offers. */
interface LessonOffers {
  lock: string[];
  only: string[] | null;
}

/** A learner's progress in a lesson, an interview question or a challenge. */
interface LessonState {
  id: string;
  kind: "lesson" | "interview" | "challenge";
  revision: string;
  step: string;
  goal: LessonGoal | null;
  nudge: { id: string; says: string; misconception: string | null } | null;
  hints: string[];
  hints_left: number;
  /** null where everything is offered */
  offers: LessonOffers | null;
  playing: LessonPlaying | null;
  stopped: string | null;
  /** Where the run is when it is not the step's own: `show:bet.none`, `run:crash`, `item:order`, `explore`. */
  place: string | null;
  challenge: ChallengeState | null;
  runs: Record<string, "locked" | "ready" | "playing" | "done">;
  questions: Record<string, LessonQuestion>;
  explains: boolean[];
  items: Record<string, boolean | null>;
  done: string[];
  /** Into which it is translated, … */
  language: string | null;
  /** … and the texts that stayed English all the same. */
  english: string[];
}

interface LessonRequest {
  action: "open" | "next" | "answer" | "run" | "hint" | "show" | "refute" | "sentence" | "restore" | "explore" | "again" | "leave";
  lesson?: string;
  step?: string;
  question?: string;
  /** Null passes a measured question over. */
  answer?: LessonAnswer | null;
  run?: string;
  option?: string;
  item?: string;
  language?: string;
}

/** One way in which the run was continued. */
interface Branch {
  id: number;
  name: string;
  /** The branch it left, and when; null for the first. */
  parent: number | null;
  at_us: number;
  /** How far it has come. */
  now_us: number;
}

/** What happened before a page came: the document before `steps`, and these. */
interface RunHistory {
  run: number;
  state: ClusterState;
  steps: Step[];
}

type MarkKind = "election" | "leader" | "crash" | "ok" | "loss" | "stale" | "violation";

/** A moment worth going to. */
interface Mark {
  kind: MarkKind;
  at_us: number;
  sequence: number;
}

/** One link of the chain from a cause to what a person asked about. */
interface Reason {
  sequence: number;
  at_us: number;
  name: string;
  plain: string;
  precise: string;
  /** Whether this is what was asked about. */
  asked: boolean;
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
  /** The query of a link to the run; absent when it does not fit into one; and what it carries, or why not. */
  link?: string;
  says?: string;
  chain?: Reason[];
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
  /** For a comparison: the settings of each run. */
  lanes?: Record<string, SettingValue>[];
}

/** The one way to talk to the server. */
interface Connection {
  command(text: string): Promise<Answer>;
  playback(action: "play" | "pause" | "step" | "speed" | "skip" | "dwell", speed?: number): Promise<Answer>;
  restart(options: StartOptions): Promise<Answer>;
  complete(text: string): Promise<Answer>;
  resync(): void;
  ledger(): Promise<Answer>;
  evidence(promise: string): Promise<Answer>;
  why(sequence: number | null, operation?: number): Promise<Answer>;
  /** What a learner does in a lesson. */
  lesson(request: LessonRequest): Promise<Answer>;
  /** Begins the run that a link describes. */
  open(link: string): Promise<Answer>;
  /** Asks for the link to the run as it is, or to a moment of it. */
  share(look_us?: number): Promise<Answer>;
  /** Continues a past moment on a branch of its own, with a command given there if there is one. */
  branch(at_us: number, text?: string): Promise<Answer>;
  /** Goes to another branch. */
  enter(branch: number): Promise<Answer>;
  history(): Promise<RunHistory | null>;
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
  /** The past moment that is shown; null while the newest is. */
  readonly viewUs: number | null;
  shownUs(): number;
  shownState(): ClusterState | null;
  /** Shows a past moment, or with null the newest one. */
  seek(us: number | null): void;
  /** Goes to the next moment at which something was told, or the one before. */
  stepBy(direction: 1 | -1): void;
  /** Brings what happened before this page came, where it is to be had. */
  recall(): Promise<void>;
  /** Plays on from the moment shown: what is recorded first, then live. */
  play(): void;
  pause(): void;
  /** Whether time passes, recorded or live. */
  readonly isPlaying: boolean;
  /** What a person chose to see everywhere; null for nothing. */
  highlighted: Lit | null;
  highlight(what: Lit | null): void;
  /** Tells why an event happened, or what became of a write. */
  why(sequence: number | null, operation?: number): void;
  store: import("./store.js").Store;
  clock: import("./store.js").Clock;
  /** Sends commands one after another; a refusal is shown and ends the list. */
  send(...texts: string[]): Promise<boolean>;
  /** One command at the moment shown; the caller shows a refusal. */
  command(text: string): Promise<Answer>;
  playback(action: "play" | "pause" | "step" | "speed" | "skip" | "dwell", speed?: number): void;
  restart(options: StartOptions): Promise<boolean>;
  connection: Connection;
  /** The node that panels are about: the chosen one, or else the leader. */
  subject(): string | null;
  /** The node that a person chose. */
  selected: string | null;
  select(node: string | null): void;
  say(sentence: string, tone?: Tone): void;
  /** Whether a command is offered here: a lesson's step may keep some for later. */
  offers(text: string): boolean;
  open(what: "palette" | "help" | "table" | "ledger"): void;
  /** Shows what speaks for or against a promise. */
  judge(promise: string): void;
  /** What can be done to a node as it is. */
  nodeActions(node: string): Action[];
  /** Opens a menu at an element or a point of the window. */
  menu(title: string, actions: Action[], at: Element | Point): void;
}

/** A few words to do something with: a menu's line or a panel's button. */
interface Scenario {
  id: string;
  title: string;
  about: string;
  /** How often its script checks that it went as told. */
  expects: number;
  /** The safety switches that are off in it. */
  off: string[];
}

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

/** One thing that is lit wherever it is drawn or listed. */
interface Lit {
  operation?: number;
  sequence?: number;
  node?: string;
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
