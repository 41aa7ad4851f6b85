#include "message/mdn.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/reply.hpp"
#include "message/report_parts.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

using Answer = ReadingRequest::Answer;

std::vector<Bytes> all_fields(Bytes header, std::string_view name) {
  std::vector<Bytes> out;
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) {
    if (field.is(name)) out.push_back(field.value);
  }
  return out;
}

// RFC 8098 §2.2: "attribute=required,value"; we know none of them.
bool has_required_option(Bytes header) {
  for (const Bytes value : all_fields(header, "Disposition-Notification-Options")) {
    const std::string line = unfolded(value);
    for (std::string_view rest = line; !rest.empty();) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view one = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t equals = one.find('=');
      if (equals == std::string_view::npos) continue;
      const auto importance = ascii::trimmed(one.substr(equals + 1, one.find(',', equals) - equals - 1));
      if (ascii::equal_ignoring_case(importance, "required")) return true;
    }
  }
  return false;
}

bool is_report(Bytes header) {
  const auto value = first_field(header, "Content-Type");
  const auto type = value ? parse_content_type(*value) : std::nullopt;
  return type && (type->is("multipart", "report") || type->is("message", "disposition-notification"));
}

ReadingRequest decided(ReadingRequest request, Answer answer, std::string_view why = {}) {
  request.answer = answer;
  request.why = why;
  return request;
}

struct Phrases {
  std::string_view subject;  // {}: the subject.
  std::string_view intro;    // {}: the address.
  std::string_view displayed, deleted, dispatched, processed;
  std::string_view caveat;
};
constexpr Phrases english = {
    .subject = "Read: {}",
    .intro = "This is about the message you sent to {}, of which the header is attached.",
    .displayed = "It has been displayed.",
    .deleted = "It has been deleted.",
    .dispatched = "It has been sent on.",
    .processed = "It has been processed by a program.",
    .caveat = "That says nothing of whether somebody has read or understood it.",
};
constexpr Phrases french = {
    .subject = "Lu : {}",
    .intro = "Ceci concerne le message que vous avez envoyé à {}, dont l'en-tête est joint.",
    .displayed = "Il a été affiché.",
    .deleted = "Il a été supprimé.",
    .dispatched = "Il a été transmis.",
    .processed = "Il a été traité par un programme.",
    .caveat = "Cela ne dit pas que quelqu'un l'ait lu ou compris.",
};

std::string_view sentence(const Phrases& phrases, Fate fate) {
  switch (fate) {
    case Fate::displayed:
      return phrases.displayed;
    case Fate::deleted:
      return phrases.deleted;
    case Fate::dispatched:
      return phrases.dispatched;
    case Fate::processed:
      return phrases.processed;
  }
  return phrases.processed;
}

std::string_view name_of(Fate fate) {
  switch (fate) {
    case Fate::displayed:
      return "displayed";
    case Fate::deleted:
      return "deleted";
    case Fate::dispatched:
      return "dispatched";
    case Fate::processed:
      return "processed";
  }
  return "processed";
}

std::vector<std::string> original_id(const ReadingNotice& notice) {
  const auto value = first_field(notice.original, "Message-ID");
  auto ids = value ? parse_message_ids(*value, 1) : std::vector<std::string>{};
  std::erase_if(ids, [](const std::string& id) { return !is_message_id(id); });
  return ids;
}

// RFC 8098 §3.1; the order is the one of its grammar.
Result<std::string> status_of(const ReadingNotice& notice, bool utf8) {
  FieldWriter fields(utf8);
  if (!notice.reporting_ua.empty()) fields.plain("Reporting-UA", cleaned(notice.reporting_ua, utf8, 200));
  if (!notice.gateway.empty()) fields.plain("MDN-Gateway", "dns; " + cleaned(notice.gateway, utf8));
  const std::string original = typed_recipient(notice.original_recipient, utf8);
  if (!original.empty()) fields.plain("Original-Recipient", original);
  fields.plain("Final-Recipient", typed_address(notice.from.address.text(), utf8));
  if (const auto id = original_id(notice); !id.empty()) fields.message_ids("Original-Message-ID", id);
  std::string disposition = notice.automatic_action ? "automatic-action/" : "manual-action/";
  disposition.append(notice.sent_automatically ? "MDN-sent-automatically; " : "MDN-sent-manually; ");
  disposition.append(name_of(notice.fate));
  if (!notice.errors.empty()) disposition.append("/error");
  fields.plain("Disposition", disposition);
  for (const auto& error : notice.errors) fields.plain("Error", cleaned(error, utf8));
  return fields.finish();
}

Result<std::string> header_of(const ReadingNotice& notice, const Phrases& phrases, const std::string& message_id) {
  FieldWriter fields(notice.transport.utf8);
  fields.date("Date", notice.origin.at, notice.origin.offset_minutes);
  // RFC 8098 §3: From is the person for whom the notification is issued.
  const std::vector<Correspondent> from{notice.from};
  fields.mailboxes("From", from);
  fields.mailboxes("To", notice.to);
  const auto subject = first_field(notice.original, "Subject");
  fields.text("Subject", fmt::format(fmt::runtime(phrases.subject), subject ? decoded_text(*subject) : ""));
  const std::vector<std::string> own{message_id};
  fields.message_ids("Message-ID", own);
  if (const auto id = original_id(notice); !id.empty()) fields.message_ids("References", id);
  if (notice.sent_automatically || notice.automatic_action) fields.plain("Auto-Submitted", "auto-replied");
  return fields.finish();
}

}  // namespace

ReadingRequest reading_request(Bytes message) {
  const Bytes header = message.substr(0, header_length(message));
  ReadingRequest out;
  const auto asked = all_fields(header, "Disposition-Notification-To");
  if (asked.empty()) return out;
  std::set<std::string> known;
  for (const Bytes value : asked) {
    for (auto& who : correspondents(value, true)) {
      // RFC 8098 §2.1: the local part's case matters.
      if (known.insert(who.address.text()).second) out.to.push_back(std::move(who));
    }
  }
  const auto originals = all_fields(header, "Original-Recipient");
  if (originals.size() == 1) out.original_recipient = std::string(ascii::trimmed(unfolded(originals.front())));
  // RFC 8098 §3: never about a notification. Beyond it: about no report at all.
  if (is_report(header)) return decided(std::move(out), Answer::never, "report");
  if (first_field(header, "Newsgroups")) return decided(std::move(out), Answer::never, "newsgroup");
  if (has_required_option(header)) return decided(std::move(out), Answer::never, "unknown_option");
  if (out.to.empty()) return decided(std::move(out), Answer::never, "no_address");
  const auto paths = all_fields(header, "Return-Path");
  if (paths.size() != 1) return decided(std::move(out), Answer::ask, "no_return_path");
  const std::string path(ascii::trimmed(unfolded(paths.front())));
  // Beyond RFC 8098 §2.1, which lets a person say yes: nobody waits for answers to what came from the null path.
  if (path == "<>") return decided(std::move(out), Answer::never, "null_sender");
  if (out.to.size() > 1) return decided(std::move(out), Answer::ask, "several_addresses");
  const auto sender = first_mailbox(path);
  if (!sender || *sender != out.to.front().address) return decided(std::move(out), Answer::ask, "other_address");
  return decided(std::move(out), Answer::automatic);
}

Result<Built> build_reading_notice(const ReadingNotice& notice) {
  const Phrases& phrases = notice.language == Language::french ? french : english;
  Built out;
  out.message_id = new_message_id(notice.origin);
  for (const auto& who : notice.to) out.recipients.push_back(who.address);
  if (out.recipients.empty()) return failure(Failure::Kind::refused, "F-1640", "A notification needs a recipient");
  const bool global = !notice.from.address.is_ascii() ||
                      ascii::starts_with_ignoring_case(ascii::trimmed(notice.original_recipient), "utf-8;");
  auto status = status_of(notice, global);
  if (!status) return failed(status);
  auto header = header_of(notice, phrases, out.message_id);
  if (!header) return failed(header);
  std::string text = fmt::format(fmt::runtime(phrases.intro), notice.from.address.text());
  text.append("\n").append(sentence(phrases, notice.fate)).append("\n").append(phrases.caveat).append("\n");
  // RFC 6533 §5: message/global-disposition-notification for addresses beyond ASCII.
  Entity fields{.type = global ? "message/global-disposition-notification" : "message/disposition-notification",
                .content = std::move(*status)};
  const Entity body =
      report_entity("disposition-notification", std::move(text), std::move(fields), header_part(notice.original));
  return completed(std::move(out), std::move(*header), body, notice.transport, notice.origin);
}

}  // namespace facteur::message
