#include "message/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.hpp"
#include "message/date.hpp"
#include "message/report_parts.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

// The sentences of a report, in one language.
struct Phrases {
  std::string_view sender_name;
  std::string_view subject_failed, subject_delayed, subject_delivered, subject_relayed, subject_expanded;
  std::string_view intro;  // {}: our host name.
  std::string_view failed, delayed, delivered, relayed, expanded;
  std::string_view said;        // {}: remote host.
  std::string_view decided;     // Our own diagnosis.
  std::string_view will_retry;  // {}: date.
  std::string_view closing;
};

constexpr Phrases english = {
    .sender_name = "Mail Delivery System",
    .subject_failed = "Undelivered mail: returned to sender",
    .subject_delayed = "Delayed mail: still being tried",
    .subject_delivered = "Your mail was delivered",
    .subject_relayed = "Your mail was handed on",
    .subject_expanded = "Your mail was distributed to a list",
    .intro = "This is the mail server {}. It reports on a message you sent.",
    .failed = "It could not be delivered to:",
    .delayed =
        "It has not been delivered yet to the recipients below. You need not send it again: the server goes on "
        "trying.",
    .delivered = "It was delivered to:",
    .relayed = "It was handed on, to a server that sends no reports, for:",
    .expanded = "It was distributed to the members of:",
    .said = "The server {} answered:",
    .decided = "Reason:",
    .will_retry = "It is tried until {}.",
    .closing = "The technical report and the header of your message are attached.",
};

constexpr Phrases french = {
    .sender_name = "Service de distribution du courrier",
    .subject_failed = "Courrier non distribué : retour à l'expéditeur",
    .subject_delayed = "Courrier retardé : les essais continuent",
    .subject_delivered = "Votre courrier a été distribué",
    .subject_relayed = "Votre courrier a été transmis",
    .subject_expanded = "Votre courrier a été diffusé à une liste",
    .intro = "Ici le serveur de courrier {}. Voici ce qu'il est advenu d'un message que vous avez envoyé.",
    .failed = "Il n'a pas pu être distribué à :",
    .delayed =
        "Il n'a pas encore été distribué aux destinataires ci-dessous. Inutile de le renvoyer : le serveur "
        "continue d'essayer.",
    .delivered = "Il a été distribué à :",
    .relayed = "Il a été transmis, à un serveur qui n'envoie pas d'avis, pour :",
    .expanded = "Il a été diffusé aux membres de :",
    .said = "Le serveur {} a répondu :",
    .decided = "Raison :",
    .will_retry = "Les essais continuent jusqu'au {}.",
    .closing = "Le rapport technique et l'en-tête de votre message sont joints.",
};

std::string_view action_name(ReportAction action) {
  switch (action) {
    case ReportAction::failed:
      return "failed";
    case ReportAction::delayed:
      return "delayed";
    case ReportAction::delivered:
      return "delivered";
    case ReportAction::relayed:
      return "relayed";
    case ReportAction::expanded:
      return "expanded";
  }
  return "failed";
}

std::string_view heading(const Phrases& phrases, ReportAction action) {
  switch (action) {
    case ReportAction::failed:
      return phrases.failed;
    case ReportAction::delayed:
      return phrases.delayed;
    case ReportAction::delivered:
      return phrases.delivered;
    case ReportAction::relayed:
      return phrases.relayed;
    case ReportAction::expanded:
      return phrases.expanded;
  }
  return phrases.failed;
}

// The gravest action names the report.
std::string_view subject_of(const Phrases& phrases, const std::vector<RecipientReport>& recipients) {
  const auto any = [&](ReportAction action) {
    return std::ranges::any_of(recipients, [&](const RecipientReport& r) { return r.action == action; });
  };
  if (any(ReportAction::failed)) return phrases.subject_failed;
  if (any(ReportAction::delayed)) return phrases.subject_delayed;
  if (any(ReportAction::relayed)) return phrases.subject_relayed;
  if (any(ReportAction::expanded)) return phrases.subject_expanded;
  return phrases.subject_delivered;
}

std::string write_text(const Report& report, const Phrases& phrases) {
  std::string out = fmt::format(fmt::runtime(phrases.intro), cleaned(report.reporting_mta, true)) + "\n";
  for (const auto action : {ReportAction::failed, ReportAction::delayed, ReportAction::delivered, ReportAction::relayed,
                            ReportAction::expanded}) {
    bool first = true;
    for (const auto& recipient : report.recipients) {
      if (recipient.action != action) continue;
      if (first) out.append("\n").append(heading(phrases, action)).append("\n");
      first = false;
      out.append("\n  <").append(cleaned(recipient.final_recipient, true)).append(">\n");
      if (!recipient.diagnostic.empty()) {
        out.append("    ");
        out.append(recipient.remote_mta.empty()
                       ? std::string(phrases.decided)
                       : fmt::format(fmt::runtime(phrases.said), cleaned(recipient.remote_mta, true)));
        out.append("\n    ").append(cleaned(recipient.diagnostic, true)).append("\n");
      }
      if (recipient.will_retry_until) {
        const std::string until = write_date(*recipient.will_retry_until, report.origin.offset_minutes);
        out.append("    ").append(fmt::format(fmt::runtime(phrases.will_retry), until)).append("\n");
      }
    }
  }
  return out.append("\n").append(phrases.closing).append("\n");
}

// RFC 3464 §2.2 and §2.3: fields of the message, then a group for each recipient. `utf8`: RFC 6533 §4.1.
class StatusWriter {
 public:
  StatusWriter(const Report& report, bool utf8) : report_(report), utf8_(utf8), fields_(utf8) {}

  std::string run() {
    if (!report_.envelope_id.empty()) add("Original-Envelope-Id", cleaned(report_.envelope_id, utf8_));
    add("Reporting-MTA", "dns; " + cleaned(report_.reporting_mta, utf8_));
    add("Arrival-Date", report_.arrived);
    for (const auto& recipient : report_.recipients) {
      fields_.blank_line();
      write(recipient);
    }
    return fields_.finish().value_or("");
  }

 private:
  void write(const RecipientReport& recipient) {
    const std::string original = typed_recipient(recipient.original_recipient, utf8_);
    if (!original.empty()) add("Original-Recipient", original);
    add("Final-Recipient", typed_address(recipient.final_recipient, utf8_));
    add("Action", action_name(recipient.action));
    add("Status", cleaned(recipient.status, utf8_));
    if (!recipient.remote_mta.empty()) add("Remote-MTA", "dns; " + cleaned(recipient.remote_mta, utf8_));
    // RFC 3464 §2.3.6: only what a remote server said in SMTP is of type smtp.
    const std::string_view type = recipient.remote_mta.empty() ? "x-facteur; " : "smtp; ";
    if (!recipient.diagnostic.empty()) {
      add("Diagnostic-Code", std::string(type) + cleaned(recipient.diagnostic, utf8_));
    }
    add("Last-Attempt-Date", recipient.last_attempt);
    add("Will-Retry-Until", recipient.will_retry_until);
  }

  void add(std::string_view name, std::string_view value) { fields_.plain(name, value); }
  void add(std::string_view name, const std::optional<UtcTime>& at) {
    if (at) fields_.date(name, *at, report_.origin.offset_minutes);
  }

  const Report& report_;
  bool utf8_;
  FieldWriter fields_;
};

// Whether the status says something that only RFC 6533 can say.
bool is_global(const Report& report) {
  return std::ranges::any_of(report.recipients, [](const RecipientReport& one) {
    return has_eight_bit(one.final_recipient) ||
           ascii::starts_with_ignoring_case(ascii::trimmed(one.original_recipient), "utf-8;");
  });
}

}  // namespace

std::optional<Language> language_of(std::string_view tag) {
  const std::string_view primary = tag.substr(0, tag.find_first_of("-_."));
  if (ascii::equal_ignoring_case(primary, "fr")) return Language::french;
  if (ascii::equal_ignoring_case(primary, "en")) return Language::english;
  return std::nullopt;
}

Built build_report(const Report& report) {
  const Phrases& phrases = report.language == Language::french ? french : english;
  const bool global = is_global(report);
  Built out;
  out.utf8 = !report.to.is_ascii() || !report.from.is_ascii();
  out.message_id = new_message_id(report.origin);
  out.recipients = {report.to};
  FieldWriter fields(out.utf8);
  fields.date("Date", report.origin.at, report.origin.offset_minutes);
  const std::vector<Correspondent> from{{std::string(phrases.sender_name), report.from}};
  fields.mailboxes("From", from);
  const std::vector<Correspondent> to{{{}, report.to}};
  fields.mailboxes("To", to);
  fields.text("Subject", subject_of(phrases, report.recipients));
  const std::vector<std::string> id{out.message_id};
  fields.message_ids("Message-ID", id);
  // RFC 3834 §3.1.7: no automatic reply may be sent to this.
  fields.plain("Auto-Submitted", "auto-replied");
  Entity status{.type = global ? "message/global-delivery-status" : "message/delivery-status",
                .content = StatusWriter(report, global).run()};
  const Entity body = report_entity("delivery-status", write_text(report, phrases), std::move(status),
                                    report.headers_only ? header_part(report.original) : whole_part(report.original));
  const Transport transport{.eight_bit = report.eight_bit, .utf8 = out.utf8};
  // Nothing here can be refused: addresses are valid, all else is cleaned.
  out.octets = joined(fields.finish().value(), body, transport, report.origin.chance).value();
  out.eight_bit = has_eight_bit(out.octets);
  return out;
}

}  // namespace facteur::message
