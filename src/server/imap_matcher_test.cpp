// The matching of imaptest scripts.
#include <algorithm>

#include "server/imap_script_test.hpp"

namespace facteur::server::stage {
namespace {

bool is_name_char(char c) { return ascii::is_alnum(c) || c == '_'; }

Argument parse_argument(Bytes& rest);

std::vector<Argument> parse_until(Bytes& rest, char end) {
  std::vector<Argument> out;
  while (!rest.empty() && rest.front() != end) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
      continue;
    }
    out.push_back(parse_argument(rest));
  }
  if (!rest.empty() && end != '\0') rest.remove_prefix(1);
  return out;
}

Argument parse_literal(Bytes& rest) {
  Argument out;
  out.quoted = true;
  const auto end = rest.find("}\r\n");
  const auto size = ascii::number<std::size_t>(rest.substr(1, end - 1)).value_or(0);
  rest.remove_prefix(std::min(end + 3, rest.size()));
  out.text = rest.substr(0, size);
  rest.remove_prefix(out.text.size());
  return out;
}

Argument parse_argument(Bytes& rest) {
  Argument out;
  if (rest.starts_with('(')) {
    rest.remove_prefix(1);
    out.kind = Argument::Kind::list;
    out.list = parse_until(rest, ')');
    return out;
  }
  if (rest.starts_with("~{")) rest.remove_prefix(1);
  if (rest.starts_with('{') && rest.find("}\r\n") != Bytes::npos) return parse_literal(rest);
  if (rest.starts_with('"')) {
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() != '"') {
      if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
      out.text += rest.front();
      rest.remove_prefix(1);
    }
    rest.remove_prefix(rest.empty() ? 0 : 1);
    return out;  // Patterns have variables in quoted strings, too.
  }
  // An atom; BODY[...] goes on to its bracket.
  bool bracket = false;
  while (!rest.empty()) {
    const char c = rest.front();
    if (!bracket && (c == ' ' || c == '(' || c == ')')) break;
    if (c == '[') bracket = ascii::starts_with_ignoring_case(out.text, "B");
    if (c == ']') bracket = false;
    out.text += c;
    rest.remove_prefix(1);
  }
  if (ascii::equal_ignoring_case(out.text, "NIL")) out.kind = Argument::Kind::nil;
  return out;
}

bool is_status(Bytes line) {
  const auto word = ascii::upper(line.substr(0, std::min(line.find(' '), line.size())));
  return word == "OK" || word == "NO" || word == "BAD" || word == "BYE" || word == "PREAUTH";
}

bool one_of(const std::vector<std::string>& names, const Argument& argument) {
  return std::ranges::any_of(names, [&](const auto& name) { return ascii::equal_ignoring_case(name, argument.text); });
}

}  // namespace

std::vector<Argument> parse_arguments(Bytes text) { return parse_until(text, '\0'); }

std::optional<std::string> Matcher::value(const std::string& name) const {
  if (const auto number = ascii::number<std::size_t>(name)) {
    return *number >= 1 && *number <= numbers.size() ? std::to_string(numbers[*number - 1]) : "none";
  }
  if (const auto found = variables_.find(name); found != variables_.end()) return found->second;
  return std::nullopt;
}

// The name of the variable at the start of `text` (which begins with '$'), and how many octets it takes.
static std::pair<std::string, std::size_t> variable_at(Bytes text) {
  if (text.starts_with("${")) {
    const auto end = text.find('}');
    return {std::string(text.substr(2, end - 2)), end + 1};
  }
  std::size_t length = 1;
  while (length < text.size() && is_name_char(text[length])) ++length;
  return {std::string(text.substr(1, length - 1)), length};
}

std::string Matcher::expanded(Bytes text) const {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '$') {
      out += text.front();
      text.remove_prefix(1);
    } else if (text.starts_with("$$")) {
      out += '$';
      text.remove_prefix(2);
    } else {
      const auto [name, length] = variable_at(text);
      out += value(name).value_or("");
      text.remove_prefix(length);
    }
  }
  return out;
}

bool Matcher::match_text(Bytes pattern, Bytes text, bool may_go_on) {
  while (!pattern.empty()) {
    if (pattern.front() != '$' || pattern.starts_with("$$")) {
      if (pattern.starts_with("$$")) pattern.remove_prefix(1);
      if (text.empty() || ascii::to_lower(text.front()) != ascii::to_lower(pattern.front())) return false;
      pattern.remove_prefix(1);
      text.remove_prefix(1);
      continue;
    }
    const auto [name, length] = variable_at(pattern);
    pattern.remove_prefix(length);
    if (name.empty()) {  // Anything up to the pattern's next character.
      text.remove_prefix(pattern.empty() ? text.size() : std::min(text.find(pattern.front()), text.size()));
      continue;
    }
    if (name.starts_with("case:")) {
      if (!text.starts_with(name.substr(5))) return false;
      text.remove_prefix(name.size() - 5);
      continue;
    }
    if (const auto known = value(name)) {
      if (!ascii::starts_with_ignoring_case(text, *known)) return false;
      text.remove_prefix(known->size());
      continue;
    }
    const auto end = pattern.empty() ? text.size() : std::min(text.find(pattern.front()), text.size());
    variables_[name] = text.substr(0, end);
    text.remove_prefix(end);
  }
  return may_go_on || text.empty();
}

bool Matcher::prefix(Bytes pattern, Bytes text) { return match_text(pattern, text, true); }

bool Matcher::match_one(const Argument& pattern, const Argument& text, const Rules* rules) {
  if (pattern.kind == Argument::Kind::text && !pattern.quoted && pattern.text == "$") return true;
  if (pattern.kind != text.kind) return false;
  if (pattern.kind == Argument::Kind::nil) return true;
  if (pattern.kind == Argument::Kind::list)
    return match_list(pattern.list, text.list, rules != nullptr ? *rules : Rules{});
  if (pattern.quoted) return ascii::equal_ignoring_case(pattern.text, text.text);
  return match_text(pattern.text, text.text, false);
}

bool Matcher::match_list(std::vector<Argument> pattern, const std::vector<Argument>& text, Rules rules) {
  bool own = false;
  while (!pattern.empty() && pattern.front().text.starts_with("$!")) {
    if (!own) rules = Rules{};
    own = true;
    const auto word = pattern.front().text.substr(2);
    if (word == "unordered") rules.chain = 1;
    if (word.starts_with("unordered=")) rules.chain = ascii::number<std::size_t>(Bytes(word).substr(10)).value_or(1);
    if (word == "noextra") rules.extra = false;
    if (word.starts_with("ignore=")) rules.ignored.push_back(word.substr(7));
    if (word.starts_with("ban=")) rules.banned.push_back(word.substr(4));
    pattern.erase(pattern.begin());
  }
  for (const auto& one : text) {
    if (one_of(rules.banned, one)) return false;
  }
  return rules.chain == 0 ? match_ordered(pattern, text) : match_chains(pattern, text, rules);
}

bool Matcher::match_ordered(const std::vector<Argument>& pattern, const std::vector<Argument>& text) {
  if (pattern.size() != text.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!match_one(pattern[i], text[i], nullptr)) return false;
  }
  return true;
}

bool Matcher::match_chains(const std::vector<Argument>& pattern, const std::vector<Argument>& text,
                           const Rules& rules) {
  static const Rules flags{
      .chain = 1, .extra = false, .ignored = {"\\Recent", "$HasAttachment", "$HasNoAttachment"}, .banned = {}};
  std::vector<bool> used(text.size(), false);
  for (std::size_t at = 0; at < pattern.size(); at += rules.chain) {
    bool found = false;
    for (std::size_t other = 0; other + rules.chain <= text.size() && !found; other += rules.chain) {
      if (used[other]) continue;
      const auto before = variables_;
      bool same = true;
      for (std::size_t i = 0; i < rules.chain && at + i < pattern.size() && same; ++i) {
        const bool is_flags = i == 1 && ascii::equal_ignoring_case(pattern[at].text, "FLAGS");
        same = match_one(pattern[at + i], text[other + i], is_flags ? &flags : nullptr);
      }
      if (!same) variables_ = before;
      found = same;
      used[other] = same;
    }
    if (!found) return false;
  }
  for (std::size_t other = 0; other < text.size() && !rules.extra; other += rules.chain) {
    if (!used[other] && !one_of(rules.ignored, text[other])) return false;
  }
  return true;
}

bool Matcher::untagged(Bytes pattern, Bytes line) {
  const auto before = variables_;
  bool same = false;
  if (is_status(pattern)) {
    same = prefix(pattern, line);
  } else {
    const auto wanted = parse_arguments(pattern);
    const auto came = parse_arguments(line);
    static const Rules unordered{.chain = 1};
    static const Rules pairs{.chain = 2};
    same = wanted.size() == came.size();
    for (std::size_t i = 0; i < wanted.size() && same; ++i) {
      const Rules* rules = nullptr;
      const auto name = ascii::upper(wanted[0].text);
      if (i == 2 && ascii::equal_ignoring_case(wanted[1].text, "FETCH")) rules = &pairs;
      if (i == 1 && (name == "LIST" || name == "LSUB")) rules = &unordered;
      if (i == 2 && name == "STATUS") rules = &pairs;
      same = match_one(wanted[i], came[i], rules);
    }
  }
  if (!same) variables_ = before;
  return same;
}

}  // namespace facteur::server::stage
