// The search language: words that all have to hold. `conv` is part of a name, kind or module;
// `op:cat`, `cluster:3`, `cp:true` look at one field; `cost>1ms` compares, with spaces or without; `-`
// before a word denies it.

const TEXTS = ["name", "op", "module"];
const COUNTS = ["cluster", "worker"];
const AMOUNTS = ["cost", "send", "slack", "error"];
const FIELDS = [...TEXTS, ...COUNTS, "cp", ...AMOUNTS];
const IN_MS = { s: 1000, ms: 1, us: 0.001, "µs": 0.001, "μs": 0.001 };
const TEXT = /(?:"[^"]*"?|[^\s"])+/.source;
const AMOUNT = `(?:${AMOUNTS.join("|")})\\s*(?:<=|>=|[:=<>])\\s*[-+]?[\\d.]+\\s+(?:${Object.keys(IN_MS).join("|")}|%)(?!\\S)`;
const WORD = new RegExp(`-?${AMOUNT}|-?[a-z]+\\s*(?:<=|>=|[:=<>])\\s*${TEXT}|${TEXT}`, "gi");
const COMPARES = {
  ":": (a, b) => a === b, "=": (a, b) => a === b,
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
};

class QueryError extends Error {}

// A function that tells whether operator `i` of `facts` is meant; `paint` knows clusters and workers.
function parseQuery(text, facts, paint) {
  const words = text.match(WORD) ?? [];
  const holds = words.map((word) => {
    const denied = word.length > 1 && word.startsWith("-");
    const test = parseWord(denied ? word.slice(1) : word, facts, paint);
    return denied ? (i) => !test(i) : test;
  });
  return (i) => holds.every((test) => test(i));
}

function parseWord(word, facts, paint) {
  const bare = (part) => part.replaceAll('"', "").toLowerCase();
  const match = /^([a-z]+)\s*(<=|>=|[:=<>])\s*(.*)$/is.exec(word);
  if (word.startsWith('"') || !match) {
    const part = bare(word);
    return (i) => TEXTS.some((field) => facts[field][i].toLowerCase().includes(part));
  }
  const [field, sign, value] = [match[1].toLowerCase(), match[2], bare(match[3])];
  if (!FIELDS.includes(field)) {
    throw new QueryError(`There is no field “${field}”; use ${FIELDS.join(", ")}, or put the word in quotes.`);
  }
  if (!value) throw new QueryError(`Say what ${field} should be, such as ${example(field)}.`);
  if (AMOUNTS.includes(field)) return parseAmount(field, sign, value, facts);
  if (sign !== ":" && sign !== "=" && !COUNTS.includes(field)) {
    throw new QueryError(`${field} is not a number; write ${example(field)}.`);
  }
  if (TEXTS.includes(field)) return (i) => facts[field][i].toLowerCase().includes(value);
  if (field === "cp") return parseCritical(value, facts);
  const wanted = number(value, field);
  return (i) => paint[field][i] !== null && COMPARES[sign](paint[field][i], wanted);
}

function parseCritical(value, facts) {
  if (value !== "true" && value !== "false") throw new QueryError("cp is true or false: is it on the critical path?");
  const critical = new Set(facts.critical);
  return (i) => critical.has(i) === (value === "true");
}

function parseAmount(field, sign, value, facts) {
  const column = facts.values[field];
  if (!column) throw new QueryError("There is no error yet; measure the operators on this host first.");
  const [, digits, unit] = /^([-+]?[\d.]+)\s*([a-zµμ%]*)$/.exec(value) ?? [];
  if (digits === undefined) throw new QueryError(`${field} needs a number, such as ${example(field)}.`);
  const known = field === "error" ? { "%": 1 } : facts.unit === "ms" ? IN_MS : {};
  if (unit && !(unit in known)) {
    const units = Object.keys(known).filter((name) => !name.includes("µ") && !name.includes("μ"));
    throw new QueryError(units.length
      ? `${field} is counted in ${units.join(", ")}, not in “${unit}”.`
      : `With all costs equal, ${field} has no unit; write ${field}>1.`);
  }
  const wanted = number(digits, field) * (unit ? known[unit] : 1);
  return (i) => COMPARES[sign](column[i], wanted);
}

function number(text, field) {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new QueryError(`${field} needs a number, such as ${example(field)}.`);
  return value;
}

function example(field) {
  const examples = { name: "name:conv1", op: "op:cat", module: "module:layer1", cp: "cp:true", error: "error>50%" };
  return examples[field] ?? (COUNTS.includes(field) ? `${field}:3` : `${field}>1ms`);
}
