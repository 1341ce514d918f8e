// Athena's SQL as the editor sees it: cut into pieces that are coloured, none of them lost.

const KEYWORDS = new Set(`all alter and any array as asc at between by case cast count create cross cube current_date current_timestamp date delete desc describe distinct drop else end escape
  except execute exists explain external false fetch filter first following for from full grouping group having if in inner insert intersect interval into is join lateral last left like limit
  natural not null nulls offset on or order ordinality outer over partition partitions preceding prepare range rollup row rows select sets show table tables tablesample then time timestamp
  true try_cast unbounded union unload unnest using values view when where window with within year month day hour minute second`.split(/\s+/));

const PIECES = /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<text>'(?:[^']|'')*(?:'|$))|(?<name>"(?:[^"]|"")*(?:"|$))|(?<figure>\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?<word>[A-Za-z_]\w*)|(?<rest>[^'"\w-]+|[\s\S])/gy;

/** Cut a statement into [{kind, text}]; put together again, the texts are the statement. */
export function piecesOf(statement) {
  const pieces = [];
  for (const { groups, 0: text, index } of statement.matchAll(PIECES)) {
    let kind = Object.keys(groups).find((name) => groups[name] !== undefined);
    if (kind === "word") {
      if (KEYWORDS.has(text.toLowerCase())) kind = "keyword";
      else kind = /^\s*\(/.test(statement.slice(index + text.length)) ? "call" : "rest";
    }
    if (pieces.at(-1)?.kind === kind) pieces.at(-1).text += text;
    else pieces.push({ kind, text });
  }
  return pieces;
}

/** The place in the statement that a line and a column, both counted from 1, stand for. */
export function offsetOf(statement, line, column) {
  const lines = statement.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  return Math.min(statement.length, before + Math.max(0, column - 1));
}

/** Where the word at a place ends; what is no word is one character long. */
export function endOfWord(statement, start) {
  return start + (/^(?:[\w.]+|"[^"]*"|.)/s.exec(statement.slice(start))?.[0].length ?? 0);
}
