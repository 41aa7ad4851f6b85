#include "message/reply.hpp"

#include <algorithm>
#include <set>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/text.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_references = 50;

Bytes header_of(Bytes message) { return message.substr(0, header_length(message)); }

std::vector<std::string> ids_of(Bytes header, std::string_view name, bool utf8) {
  const auto value = first_field(header, name);
  auto ids = value ? parse_message_ids(*value) : std::vector<std::string>{};
  std::erase_if(ids, [&](const std::string& id) { return !is_message_id(id, utf8); });
  return ids;
}

void set_ids(Draft& draft, Bytes header, bool utf8) {
  const auto own = ids_of(header, "Message-ID", utf8);
  auto before = ids_of(header, "References", utf8);
  if (before.empty()) {
    // RFC 5322 §3.6.4: In-Reply-To stands in for References if it names one message.
    before = ids_of(header, "In-Reply-To", utf8);
    if (before.size() != 1) before.clear();
  }
  draft.references = std::move(before);
  if (!own.empty()) {
    draft.in_reply_to = {own.front()};
    std::erase(draft.references, own.front());
    draft.references.push_back(own.front());
  }
  if (draft.references.size() > most_references) {
    const auto surplus = static_cast<std::ptrdiff_t>(draft.references.size() - most_references);
    draft.references.erase(draft.references.begin() + 1, draft.references.begin() + 1 + surplus);
  }
}

// RFC 5322 §3.6.5: one "Re: " in front, however many there were.
std::string subject_with(std::string_view mark, Bytes header) {
  const auto value = first_field(header, "Subject");
  const std::string subject = value ? decoded_text(*value) : "";
  std::string_view rest = ascii::trimmed(subject);
  while (ascii::starts_with_ignoring_case(rest, mark)) rest = ascii::trimmed(rest.substr(mark.size()));
  return std::string(mark) + " " + std::string(rest);
}

}  // namespace

std::vector<Correspondent> correspondents(Bytes value, bool utf8) {
  std::vector<Correspondent> out;
  for (const auto& one : parse_address_list(value, 10'000)) {
    if (one.kind != ListedAddress::Kind::mailbox) continue;
    auto address = Address::parse(quoted_local(one.local) + "@" + one.domain);
    if (!address || address->domain.empty() || (!utf8 && !address->is_ascii())) continue;
    out.push_back({decoded_text(one.name), std::move(*address)});
  }
  return out;
}

Draft reply_to(Bytes parent, const ReplyWishes& wishes) {
  const Bytes header = header_of(parent);
  Draft draft;
  draft.transport.utf8 = wishes.utf8;
  draft.subject = subject_with("Re:", header);
  set_ids(draft, header, wishes.utf8);
  std::set<std::string> known;
  const auto add = [&](std::vector<Destination>& list, const char* name) {
    const auto value = first_field(header, name);
    if (!value) return;
    for (auto& who : correspondents(*value, wishes.utf8)) {
      if (known.insert(who.address.key()).second) list.emplace_back(std::move(who));
    }
  };
  add(draft.to, "Reply-To");
  if (draft.to.empty()) add(draft.to, "From");
  for (const auto& address : wishes.own) known.insert(address.key());
  if (wishes.all) {
    for (const auto* name : {"From", "To", "Cc"}) add(draft.cc, name);
  }
  return draft;
}

Draft forward_of(Bytes parent) {
  Draft draft;
  draft.subject = subject_with("Fwd:", header_of(parent));
  draft.forwarded.emplace_back(parent);
  return draft;
}

std::string quoted_text(Bytes message) {
  const std::string text = display_text(message, parse_mime(message));
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.append(line.starts_with('>') ? ">" : "> ").append(line).append("\n");
  }
  return out;
}

Result<std::string> resent(Bytes message, const Resending& what, const Origin& origin) {
  FieldWriter fields(what.utf8);
  fields.date("Resent-Date", origin.at, origin.offset_minutes);
  const std::vector<Correspondent> from{what.from};
  fields.mailboxes("Resent-From", from);
  fields.mailboxes("Resent-To", what.to);
  const std::vector<std::string> id{new_message_id(origin)};
  fields.message_ids("Resent-Message-ID", id);
  auto block = fields.finish();
  if (!block) return failed(block);
  return block->append(message);
}

}  // namespace facteur::message
