#include "message/maildir.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t letters_in_all = 26;

// ":2,FS": behind ':' as Maildir says, or ';' or '!' where files may have no ':' in their names.
std::size_t find_flags(std::string_view name) {
  for (const std::string_view mark : {":2,", ";2,", "!2,"}) {
    const std::size_t at = name.rfind(mark);
    if (at != std::string_view::npos) return at;
  }
  return std::string_view::npos;
}

void read_flags(std::string_view letters, MaildirName& out) {
  for (const char c : letters) {
    if (c == 'S') out.state.seen = true;
    if (c == 'R') out.state.answered = true;
    if (c == 'F') out.state.flagged = true;
    if (c == 'D') out.state.draft = true;
    if (c == 'T') out.state.deleted = true;
    if (c == 'P') out.state.add_keyword("$Forwarded");
    if (c == ',') break;  // Extensions of other programs follow.
    if (ascii::is_lower(c) && out.letters.find(c) == std::string::npos) out.letters += c;
  }
}

}  // namespace

UtcTime MaildirName::delivered() const {
  const auto end = base.find_first_not_of("0123456789");
  const auto seconds = ascii::number<std::int64_t>(std::string_view(base).substr(0, std::min<std::size_t>(end, 12)));
  return UtcTime{seconds.value_or(0) * 1000};
}

MaildirName parse_maildir_name(std::string_view name) {
  MaildirName out;
  const std::size_t flags = find_flags(name);
  if (flags != std::string_view::npos) read_flags(name.substr(flags + 3), out);
  name = name.substr(0, flags);
  // Sizes stand behind commas in the base: ",S=123,W=130".
  out.base = name.substr(0, name.find(','));
  name.remove_prefix(out.base.size());
  while (!name.empty()) {
    const std::size_t end = std::min(name.find(',', 1), name.size());
    const std::string_view piece = name.substr(0, end);
    name.remove_prefix(end);
    const auto number = piece.size() > 3 ? ascii::number(piece.substr(3)) : std::nullopt;
    if (number && piece.starts_with(",S=")) {
      out.size = number;
    } else if (number && piece.starts_with(",W=")) {
      out.vsize = number;
    } else {
      out.base.append(piece);
    }
  }
  return out;
}

std::string write_maildir_name(const MaildirName& name) {
  std::string out = name.base;
  if (name.size) out += ",S=" + std::to_string(*name.size);
  if (name.vsize) out += ",W=" + std::to_string(*name.vsize);
  const bool passed = std::ranges::any_of(
      name.state.keywords, [](const std::string& k) { return ascii::equal_ignoring_case(k, "$Forwarded"); });
  // In the order of the alphabet, capitals first, as Maildir wants it.
  out += ":2,";
  if (name.state.draft) out += 'D';
  if (name.state.flagged) out += 'F';
  if (passed) out += 'P';
  if (name.state.answered) out += 'R';
  if (name.state.seen) out += 'S';
  if (name.state.deleted) out += 'T';
  std::string letters = name.letters;
  std::ranges::sort(letters);
  return out + letters;
}

bool is_verbatim(const MaildirName& name, std::uint64_t file_size) { return name.vsize && *name.vsize == file_size; }

MaildirKeywords MaildirKeywords::parse(Bytes text) {
  MaildirKeywords out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Bytes line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t space = std::min(line.find(' '), line.size());
    const auto number = ascii::number<unsigned>(line.substr(0, space));
    const Bytes keyword = line.substr(std::min(space + 1, line.size()));
    if (number && *number < letters_in_all && is_keyword(keyword)) {
      out.keywords_[static_cast<char>('a' + *number)] = keyword;
    }
  }
  return out;
}

std::string MaildirKeywords::write() const {
  std::string out;
  for (const auto& [letter, keyword] : keywords_) out += std::to_string(letter - 'a') + " " + keyword + "\n";
  return out;
}

std::optional<char> MaildirKeywords::letter(std::string_view keyword) {
  for (const auto& [letter, known] : keywords_) {
    if (ascii::equal_ignoring_case(known, keyword)) return letter;
  }
  if (!is_keyword(keyword)) return std::nullopt;
  for (std::size_t i = 0; i < letters_in_all; ++i) {
    const char letter = static_cast<char>('a' + i);
    if (keywords_.contains(letter)) continue;
    keywords_[letter] = keyword;
    return letter;
  }
  return std::nullopt;
}

std::string_view MaildirKeywords::keyword(char letter) const {
  const auto found = keywords_.find(letter);
  return found == keywords_.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<std::string> parse_maildir_folder(std::string_view name) {
  std::vector<std::string> levels;
  if (name.size() < 2 || name.front() != '.') return levels;
  name.remove_prefix(1);
  while (true) {
    const std::size_t dot = std::min(name.find('.'), name.size());
    if (dot == 0) return {};
    levels.emplace_back(name.substr(0, dot));
    if (dot == name.size()) return levels;
    name.remove_prefix(dot + 1);
  }
}

std::string write_maildir_folder(const std::vector<std::string>& levels) {
  std::string out;
  for (const auto& level : levels) out += "." + level;
  return out;
}

}  // namespace facteur::message
