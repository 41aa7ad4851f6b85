#include "message/report_reader.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "message/address.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/report_parts.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_recipients = 10'000;
constexpr std::size_t read_of_text = 16 * 1024;  // Of a bounce in prose.

using Fields = std::vector<std::pair<std::string, std::string>>;

// "rfc822; a@b" -> "a@b". The type says nothing we need (RFC 3464 §2.3.1).
std::string without_type(std::string_view value) {
  const std::size_t semicolon = value.find(';');
  const bool utf8 = ascii::starts_with_ignoring_case(value, "utf-8");
  if (semicolon != std::string_view::npos && value.substr(0, semicolon).find('@') == std::string_view::npos) {
    value.remove_prefix(semicolon + 1);
  }
  value = ascii::trimmed(value);
  if (value.starts_with('<') && value.ends_with('>')) value = value.substr(1, value.size() - 2);
  return utf8 ? from_unitext(value) : std::string(value);  // RFC 6533 §3.
}

// RFC 3464 §2.3.4: class.subject.detail, perhaps with a comment behind.
std::string status_of(std::string_view value) {
  const std::size_t end = std::min(value.find_first_not_of("0123456789."), value.size());
  const std::string_view code = value.substr(0, end);
  const bool good = code.size() >= 5 && std::ranges::count(code, '.') == 2 &&
                    std::string_view("245").find(code[0]) != std::string_view::npos;
  return good ? std::string(code) : std::string();
}

// Groups of fields, a blank line between two (RFC 3464 §2.1).
std::vector<Fields> read_groups(Bytes text) {
  std::vector<Fields> groups;
  while (!text.empty() && groups.size() < most_recipients) {
    FieldScanner scanner(text);
    Field field;
    Fields group;
    while (scanner.next(field)) {
      if (!field.name.empty())
        group.emplace_back(ascii::lower(field.name), std::string(ascii::trimmed(unfolded(field.value))));
    }
    if (!group.empty()) groups.push_back(std::move(group));
    if (scanner.length() == 0) break;
    text.remove_prefix(scanner.length());
  }
  return groups;
}

std::string_view find(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Fields::value_type::first);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

ReadRecipient recipient_of(const Fields& group) {
  ReadRecipient out;
  out.final_recipient = without_type(find(group, "final-recipient"));
  out.original_recipient = without_type(find(group, "original-recipient"));
  const std::string_view action = find(group, "action");
  out.action = ascii::lower(action.substr(0, std::min(action.find_first_of(" (;"), action.size())));
  out.status = status_of(find(group, "status"));
  out.remote_mta = without_type(find(group, "remote-mta"));
  out.diagnostic = without_type(find(group, "diagnostic-code"));
  return out;
}

// What programs that write no report say, in the languages of the corpora this was made with.
bool says_bounce(std::string_view subject) {
  static constexpr auto phrases = std::to_array<std::string_view>({
      "undeliver",
      "returned mail",
      "mail delivery fail",
      "mail delivery error",
      "delivery failure",
      "failure delivery",
      "failure notice",
      "delivery status notification",
      "delivery notification",
      "delivery has failed",
      "delivery failed",
      "failed delivery",
      "could not be delivered",
      "not be delivered",
      "mail system error",
      "returned to sender",
      "returning message to sender",
      "message delayed",
      "delayed mail",
      "could not send mail",
      "error sending your mail",
      "bounce notification",
      "non remis",
      "non distribu",
      "unzustellbar",
      "mail delivery",
      "delivery problem",
      "не доставлено",
      "недоставленное",
  });
  const std::string lower = ascii::lower(subject);
  return std::ranges::any_of(phrases, [&](std::string_view phrase) { return lower.find(phrase) != std::string::npos; });
}

bool says_reason(std::string_view text) {
  static constexpr auto phrases = std::to_array<std::string_view>({
      "could not be delivered",
      "cannot be delivered",
      "couldn't be delivered",
      "not be delivered",
      "undeliverable",
      "user unknown",
      "unknown user",
      "no such user",
      "unable to deliver",
      "wasn't able to deliver",
      "delivery failed",
      "delivery has failed",
      "delivery to the following",
      "did not reach",
      "failed permanently",
      "permanent error",
      "permanent fatal errors",
      "mailbox unavailable",
      "mailbox full",
      "mailbox is full",
      "quota exceeded",
      "over quota",
      "does not exist",
      "was rejected",
      "host unknown",
      "undelivered",
      "not delivered",
      "returned to you",
      "still being retried",
      "could not be sent",
      "unable to send",
      "failed to deliver",
      "message was not sent",
      "error occurred while",
      "have been unable",
      "rcpt to",
      "said: 5",
      "550 ",
      "554 ",
      "5.1.1",
      "mail delivery",
      "could not send",
      "unreachable",
      "recipient address",
      "failed addresses",
  });
  const std::string lower = ascii::lower(text);
  return std::ranges::any_of(phrases, [&](std::string_view phrase) { return lower.find(phrase) != std::string::npos; });
}

bool says_reply(std::string_view subject) {
  static constexpr auto phrases =
      std::to_array<std::string_view>({"automatic reply", "auto reply", "auto-reply", "autoreply", "autorespon",
                                       "out of office", "auto:", "vacation", "réponse automatique", "absence"});
  const std::string lower = ascii::lower(subject);
  return std::ranges::any_of(phrases, [&](std::string_view phrase) { return lower.find(phrase) != std::string::npos; });
}

class Reader {
 public:
  explicit Reader(Bytes message) : message_(message), tree_(parse_mime(message)) {}

  ReadReport run() {
    for (const Part& part : tree_.parts) take_part(part);
    if (out_.kind == ReportKind::none) judge_prose();
    return std::move(out_);
  }

 private:
  Bytes body_of(const Part& part) const { return message_.substr(part.body, part.body_length); }

  void take_part(const Part& part) {
    const auto& type = part.content_type;
    if (type.type == "message" && part.kind == Part::Kind::leaf) {
      const std::string& subtype = type.subtype;
      if (subtype == "delivery-status" || subtype == "global-delivery-status") take_status(part);
      if (subtype == "disposition-notification" || subtype == "global-disposition-notification") {
        take_fields(part, ReportKind::disposition);
      }
      if (subtype == "feedback-report") take_fields(part, ReportKind::feedback);
    }
    const bool returned = type.is("text", "rfc822-headers") || type.is("message", "global-headers");
    const bool inside = part.parent != Part::none && tree_.parts[part.parent].kind == Part::Kind::message;
    if ((returned || inside) && out_.original_message_id.empty()) {
      const auto id =
          first_field(returned ? body_of(part) : message_.substr(part.header, part.header_length), "Message-ID");
      const auto ids = id ? parse_message_ids(*id, 1) : std::vector<std::string>();
      if (!ids.empty()) out_.original_message_id = ids.front();
    }
  }

  void take_status(const Part& part) {
    // Only the outermost report counts: what is returned may be a report itself.
    if (out_.kind != ReportKind::none) return;
    const std::string text = decode(body_of(part), part.encoding);
    auto groups = read_groups(text);
    if (groups.empty()) return;
    out_.kind = ReportKind::delivery;
    for (auto& group : groups) {
      // Some write no blank line behind the fields of the message.
      const bool of_recipient = !find(group, "final-recipient").empty() || !find(group, "action").empty() ||
                                !find(group, "original-recipient").empty();
      if (of_recipient) out_.recipients.push_back(recipient_of(group));
      if (!of_recipient || out_.fields.empty()) std::ranges::move(group, std::back_inserter(out_.fields));
    }
  }

  void take_fields(const Part& part, ReportKind kind) {
    if (out_.kind != ReportKind::none) return;
    const std::string text = decode(body_of(part), part.encoding);
    for (auto& group : read_groups(text)) std::ranges::move(group, std::back_inserter(out_.fields));
    if (out_.fields.empty()) return;
    out_.kind = kind;
    const auto id = parse_message_ids(out_.field("original-message-id"), 1);
    if (!id.empty()) out_.original_message_id = id.front();
  }

  std::string header_text(std::string_view name) const {
    const auto value = first_field(message_, name);
    return value ? decoded_text(*value) : std::string();
  }

  // RFC 3834 §5 and old habits: who has sent it, what the subject says, what the text says. Two of three make a bounce.
  void judge_prose() {
    const std::string subject = header_text("Subject");
    const auto path = first_field(message_, "Return-Path");
    const std::string return_path = path ? ascii::lower(ascii::trimmed(unfolded(*path))) : std::string();
    const bool null_path = return_path == "<>" || return_path.find("mailer-daemon") != std::string::npos;
    const std::string automatic = ascii::lower(header_text("Auto-Submitted"));
    if (says_reply(subject)) {
      out_.kind = ReportKind::reply;
      return;
    }
    const std::string text = text_of_message();
    const bool daemon = from_daemon();
    const bool reason = says_reason(text);
    const int signs = (daemon ? 1 : 0) + (says_bounce(subject) ? 1 : 0) + (reason && (daemon || null_path) ? 1 : 0) +
                      (null_path ? 1 : 0) + (tree_.parts[0].content_type.is("multipart", "report") ? 1 : 0);
    if (signs >= 2 && (reason || says_bounce(subject))) {
      out_.kind = ReportKind::bounce;
      find_addresses(text);
    } else if (automatic.starts_with("auto-replied")) {
      out_.kind = ReportKind::reply;
    }
  }

  bool from_daemon() const {
    const auto from = first_field(message_, "From");
    if (!from) return false;
    const std::string lower = ascii::lower(unfolded(*from));
    static constexpr auto names =
        std::to_array<std::string_view>({"mailer-daemon", "postmaster", "post_master", "mail delivery", "mail.delivery",
                                         "mail deliver system", "mailer daemon", "system administrator"});
    return std::ranges::any_of(names, [&](std::string_view name) { return lower.find(name) != std::string::npos; });
  }

  // The first text that is no returned message.
  std::string text_of_message() const {
    for (const Part& part : tree_.parts) {
      if (part.kind == Part::Kind::leaf && part.content_type.type == "text") {
        return decoded_body_text(message_, part).substr(0, read_of_text);
      }
    }
    return {};
  }

  // "<someone@example.org>:" in prose, up to where the original begins.
  void find_addresses(std::string_view text) {
    for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
      const std::size_t end = text.find_first_of("> \r\n", at);
      if (end == std::string_view::npos || text[end] != '>') continue;
      const auto address = Address::parse(text.substr(at + 1, end - at - 1));
      if (!address) continue;
      ReadRecipient found;
      found.final_recipient = address->text();
      found.action = "failed";
      out_.recipients.push_back(std::move(found));
      return;
    }
  }

  Bytes message_;
  PartTree tree_;
  ReadReport out_;
};

}  // namespace

std::string_view name_of(ReportKind kind) {
  static constexpr std::string_view names[] = {"none", "delivery", "disposition", "feedback", "bounce", "reply"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view ReadReport::field(std::string_view name) const { return find(fields, name); }

ReadReport read_report(Bytes message) { return Reader(message).run(); }

}  // namespace facteur::message
