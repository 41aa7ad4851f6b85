#include "message/builder.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/charset.hpp"
#include "message/flowed.hpp"
#include "message/header.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

std::unexpected<Failure> refused(std::string_view code, std::string text) {
  return failure(Failure::Kind::refused, code, std::move(text));
}

// RFC 5322 §3.6: fields that stand once, or mean more than text, are written from values of their own.
bool is_free_field(std::string_view name) {
  static constexpr std::array reserved = {"Date",        "From",         "Sender",     "Reply-To",
                                          "To",          "Cc",           "Bcc",        "Message-ID",
                                          "In-Reply-To", "References",   "Subject",    "Disposition-Notification-To",
                                          "Return-Path", "MIME-Version", "Resent-Bcc", "Received"};
  return !ascii::starts_with_ignoring_case(name, "Content-") &&
         std::ranges::none_of(reserved, [&](const char* one) { return ascii::equal_ignoring_case(name, one); });
}

class Recipients {
 public:
  void add(const std::vector<Destination>& list) {
    for (const auto& one : list) {
      if (const auto* group = std::get_if<Group>(&one)) {
        for (const auto& member : group->members) add(member.address);
      } else {
        add(std::get<Correspondent>(one).address);
      }
    }
  }
  std::vector<Address> take() { return std::move(list_); }

 private:
  void add(const Address& address) {
    if (known_.insert(address.key()).second) list_.push_back(address);
  }
  std::set<std::string> known_;
  std::vector<Address> list_;
};

Entity text_entity(const Draft& draft) {
  Entity out;
  const std::string lines = with_crlf(*draft.text);
  const bool delsp = draft.flowed && wants_delsp(lines);
  out.content = draft.flowed ? flowed(lines, delsp) : lines;
  out.parameters.push_back({"charset", has_eight_bit(out.content) ? "utf-8" : "us-ascii"});
  if (draft.flowed) out.parameters.push_back({"format", "flowed"});  // RFC 3676 §4.
  if (delsp) out.parameters.push_back({"delsp", "yes"});
  return out;
}

Entity html_entity(const std::string& html) {
  Entity out{.type = "text/html", .content = with_crlf(html)};
  out.parameters.push_back({"charset", has_eight_bit(out.content) ? "utf-8" : "us-ascii"});
  return out;
}

Entity file_entity(const DraftFile& file, Entity::Shown shown) {
  Entity out{.type = file.type,
             .content = file.octets,
             .shown = shown,
             .file_name = file.name,
             .content_id = file.content_id,
             .description = file.description};
  const bool text = ascii::starts_with_ignoring_case(file.type, "text/");
  if (text && has_eight_bit(file.octets) && is_utf8(file.octets)) out.parameters.push_back({"charset", "utf-8"});
  return out;
}

// RFC 2387: HTML, then what it shows.
Entity related_entity(Entity html, const std::vector<DraftFile>& files) {
  Entity out{.type = "multipart/related"};
  out.parameters.push_back({"type", "text/html"});
  out.parts.push_back(std::move(html));
  for (const auto& file : files) out.parts.push_back(file_entity(file, Entity::Shown::in_place));
  return out;
}

// What is read: the text, the HTML, or both as alternatives, the better one last (RFC 2046 §5.1.4).
Entity reading_entity(const Draft& draft) {
  if (!draft.html) return text_entity(draft);
  Entity html = html_entity(*draft.html);
  if (!draft.inlined.empty()) html = related_entity(std::move(html), draft.inlined);
  if (!draft.text) return html;
  Entity out{.type = "multipart/alternative"};
  out.parts.push_back(text_entity(draft));
  out.parts.push_back(std::move(html));
  return out;
}

Entity body_entity(const Draft& draft) {
  if (draft.attached.empty() && draft.forwarded.empty()) return reading_entity(draft);
  Entity out{.type = "multipart/mixed"};
  if (draft.text || draft.html) out.parts.push_back(reading_entity(draft));
  for (const auto& file : draft.attached) out.parts.push_back(file_entity(file, Entity::Shown::attached));
  for (const auto& message : draft.forwarded) {
    out.parts.push_back({.type = "message/rfc822", .content = message, .shown = Entity::Shown::attached});
  }
  return out;
}

Result<void> check(const Draft& draft) {
  if (draft.from.empty()) return refused("F-1630", "A message needs a sender");
  for (const auto& [name, value] : draft.fields) {
    if (!is_free_field(name))
      return refused("F-1631", "The field " + cleaned(name, false, 60) + " is written by itself");
  }
  for (const auto* part : {&draft.text, &draft.html}) {
    if (*part && !is_utf8(**part)) return refused("F-1632", "The text is not UTF-8");
  }
  if (!draft.inlined.empty() && !draft.html) return refused("F-1633", "Inlined files need HTML that shows them");
  std::set<std::string> ids;
  for (const auto& file : draft.inlined) {
    if (file.content_id.empty() || !ids.insert(file.content_id).second) {
      return refused("F-1634", "Each inlined file needs a content identifier of its own");
    }
  }
  return {};
}

Result<std::string> header_of(const Draft& draft, const Origin& origin, const std::string& message_id) {
  FieldWriter fields(draft.transport.utf8);
  fields.date("Date", origin.at, origin.offset_minutes);
  fields.mailboxes("From", draft.from);
  if (draft.sender || draft.from.size() > 1) {
    const std::vector<Correspondent> sender{draft.sender ? *draft.sender : draft.from.front()};
    fields.mailboxes("Sender", sender);
  }
  if (!draft.reply_to.empty()) fields.mailboxes("Reply-To", draft.reply_to);
  if (!draft.to.empty()) fields.destinations("To", draft.to);
  if (!draft.cc.empty()) fields.destinations("Cc", draft.cc);
  if (draft.to.empty() && draft.cc.empty()) {
    // Old servers take a message without any of To, Cc and Bcc for a damaged one, and complete it.
    const std::vector<Destination> nobody{Group{.name = "undisclosed-recipients", .members = {}}};
    fields.destinations("To", nobody);
  }
  fields.text("Subject", draft.subject);
  const std::vector<std::string> own{message_id};
  fields.message_ids("Message-ID", own);
  if (!draft.in_reply_to.empty()) fields.message_ids("In-Reply-To", draft.in_reply_to);
  if (!draft.references.empty()) fields.message_ids("References", draft.references);
  if (!draft.notify_reading.empty()) fields.mailboxes("Disposition-Notification-To", draft.notify_reading);
  for (const auto& [name, value] : draft.fields) fields.text(name, value);
  return fields.finish();
}

}  // namespace

std::string new_message_id(const Origin& origin, std::string_view use) {
  const std::string chance = to_hex(std::string_view(origin.chance.data(), origin.chance.size()));
  const auto domain = Domain::parse(origin.host);
  std::string out = std::to_string(origin.at.seconds()) + "." + chance;
  if (!use.empty()) out.append(".").append(use);
  return out.append("@").append(domain && !domain->empty() ? domain->text() : "localhost");
}

Result<Built> build_message(const Draft& draft, const Origin& origin) {
  if (auto sound = check(draft); !sound) return failed(sound);
  Built out;
  out.message_id = new_message_id(origin);
  auto header = header_of(draft, origin, out.message_id);
  if (!header) return failed(header);
  Draft empty;
  const bool nothing = !draft.text && !draft.html && draft.attached.empty() && draft.forwarded.empty();
  if (nothing) empty.text = "";
  Recipients recipients;
  for (const auto* list : {&draft.to, &draft.cc, &draft.bcc}) recipients.add(*list);
  out.recipients = recipients.take();
  return completed(std::move(out), std::move(*header), body_entity(nothing ? empty : draft), draft.transport, origin);
}

Result<Built> completed(Built begun, std::string header, const Entity& body, const Transport& transport,
                        const Origin& origin) {
  auto octets = joined(std::move(header), body, transport, origin.chance);
  if (!octets) return failed(octets);
  begun.octets = std::move(*octets);
  begun.eight_bit = has_eight_bit(begun.octets);
  begun.utf8 = transport.utf8 && needs_utf8_transport(begun.octets);
  return begun;
}

}  // namespace facteur::message
