#include "message/mail_state.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.hpp"
#include "message/header.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_keywords = 100;

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void add_words(std::string_view text, MailState& state) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t,"), text.size());
    if (end > 0) state.add_keyword(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// The bits Mozilla keeps of a message (its sources call them nsMsgMessageFlags).
void take_mozilla_status(std::uint32_t bits, MailState& state) {
  if (bits & 0x0001) state.seen = true;
  if (bits & 0x0002) state.answered = true;
  if (bits & 0x0004) state.flagged = true;
  if (bits & 0x0008) state.expunged = true;
  if (bits & 0x1000) state.add_keyword("$Forwarded");
}

void take_mozilla_status2(std::uint32_t bits, MailState& state) {
  if (bits & 0x00200000) state.deleted = true;  // Marked on an IMAP server, not yet expunged there.
  const std::uint32_t label = bits >> 25 & 7;
  if (label >= 1 && label <= 5) state.add_keyword("$label" + std::to_string(label));
  if (bits & 0x00400000) state.add_keyword("$MDNSent");
}

}  // namespace

bool is_keyword(std::string_view text) {
  if (text.empty() || text.size() > 100) return false;
  return std::ranges::all_of(text, [](char c) {
    return ascii::is_printable(c) && std::string_view(" (){%*\"\\]").find(c) == std::string_view::npos;
  });
}

void MailState::add_keyword(std::string_view keyword) {
  if (!is_keyword(keyword) || keywords.size() == most_keywords) return;
  const auto same = [&](const std::string& other) { return ascii::equal_ignoring_case(other, keyword); };
  if (std::ranges::none_of(keywords, same)) keywords.emplace_back(keyword);
}

bool take_state_field(std::string_view name, Bytes raw, MailState& state) {
  if (name.size() < 5 || name.size() > 17) return false;
  const auto is = [&](std::string_view other) { return ascii::equal_ignoring_case(name, other); };
  if (is("Status")) {
    if (raw.find('R') != Bytes::npos) state.seen = true;
  } else if (is("X-Status")) {
    for (const char c : raw) {
      if (c == 'A') state.answered = true;
      if (c == 'F') state.flagged = true;
      if (c == 'T') state.draft = true;
      if (c == 'D') state.deleted = true;
    }
  } else if (is("X-Keywords") || is("X-Mozilla-Keys")) {
    add_words(unfolded(raw), state);
  } else if (is("X-UIDL")) {
    state.uidl = ascii::trimmed(unfolded(raw)).substr(0, 70);  // RFC 1939 §7: at most 70 characters.
  } else if (is("X-Mozilla-Status")) {
    if (const auto bits = hexadecimal(ascii::trimmed(unfolded(raw)))) take_mozilla_status(*bits, state);
  } else if (is("X-Mozilla-Status2")) {
    if (const auto bits = hexadecimal(ascii::trimmed(unfolded(raw)))) take_mozilla_status2(*bits, state);
  } else {
    // What c-client keeps of a mailbox in its messages; of no use elsewhere.
    return is("X-IMAPbase") || is("X-IMAP") || is("X-UID");
  }
  return true;
}

StateFields write_state_fields(const MailState& state, std::string_view line_end) {
  StateFields out;
  const auto add = [&](std::string_view name, std::string_view value) {
    out.text.append(name).append(": ").append(value).append(line_end);
    ++out.count;
  };
  add("Status", state.seen ? "RO" : "O");
  std::string marks;
  if (state.answered) marks += 'A';
  if (state.flagged) marks += 'F';
  if (state.draft) marks += 'T';
  if (state.deleted) marks += 'D';
  if (!marks.empty()) add("X-Status", marks);
  std::string words;
  for (const auto& keyword : state.keywords) {
    if (is_keyword(keyword)) words.append(words.empty() ? "" : " ").append(keyword);
  }
  if (!words.empty()) add("X-Keywords", words);
  if (!state.uidl.empty()) add("X-UIDL", state.uidl);
  return out;
}

}  // namespace facteur::message
