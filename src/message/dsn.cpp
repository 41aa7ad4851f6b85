#include "message/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.hpp"
#include "message/builder.hpp"
#include "message/date.hpp"
#include "message/header.hpp"
#include "message/transfer.hpp"

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

// For a field of the report: one line, at most 900 octets, controls gone.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 900)) {
    if (!ascii::is_control(c)) {
      out += c;
    } else if (!out.ends_with(' ')) {
      out += ' ';
    }
  }
  return std::string(ascii::trimmed(out));
}

std::string_view address_type(std::string_view address) {
  const bool plain = std::ranges::all_of(address, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return plain ? "rfc822" : "utf-8";  // RFC 6533 §3.
}

std::string write_text(const Report& report, const Phrases& phrases) {
  std::string out = fmt::format(fmt::runtime(phrases.intro), report.reporting_mta) + "\n";
  for (const auto action : {ReportAction::failed, ReportAction::delayed, ReportAction::delivered, ReportAction::relayed,
                            ReportAction::expanded}) {
    bool first = true;
    for (const auto& recipient : report.recipients) {
      if (recipient.action != action) continue;
      if (first) out.append("\n").append(heading(phrases, action)).append("\n");
      first = false;
      out.append("\n  <").append(one_line(recipient.final_recipient)).append(">\n");
      if (!recipient.diagnostic.empty()) {
        out.append("    ");
        out.append(recipient.remote_mta.empty()
                       ? std::string(phrases.decided)
                       : fmt::format(fmt::runtime(phrases.said), one_line(recipient.remote_mta)));
        out.append("\n    ").append(one_line(recipient.diagnostic)).append("\n");
      }
      if (recipient.will_retry_until) {
        const std::string until = write_date(*recipient.will_retry_until, report.offset_minutes);
        out.append("    ").append(fmt::format(fmt::runtime(phrases.will_retry), until)).append("\n");
      }
    }
  }
  return out.append("\n").append(phrases.closing).append("\n");
}

// RFC 3464 §2.2 and §2.3: fields of the message, then a group for each recipient.
std::string write_status(const Report& report) {
  std::string out;
  const auto add = [&](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  if (!report.envelope_id.empty()) add("Original-Envelope-Id", one_line(report.envelope_id));
  add("Reporting-MTA", "dns; " + one_line(report.reporting_mta));
  if (report.arrived) add("Arrival-Date", write_date(*report.arrived, report.offset_minutes));
  for (const auto& recipient : report.recipients) {
    out.append("\r\n");
    if (!recipient.original_recipient.empty()) add("Original-Recipient", one_line(recipient.original_recipient));
    add("Final-Recipient",
        fmt::format("{}; {}", address_type(recipient.final_recipient), one_line(recipient.final_recipient)));
    add("Action", action_name(recipient.action));
    add("Status", one_line(recipient.status));
    if (!recipient.remote_mta.empty()) add("Remote-MTA", "dns; " + one_line(recipient.remote_mta));
    // RFC 3464 §2.3.6: only what a remote server said in SMTP is of type smtp.
    if (!recipient.diagnostic.empty()) {
      add("Diagnostic-Code",
          (recipient.remote_mta.empty() ? "x-facteur; " : "smtp; ") + one_line(recipient.diagnostic));
    }
    if (recipient.last_attempt) add("Last-Attempt-Date", write_date(*recipient.last_attempt, report.offset_minutes));
    if (recipient.will_retry_until) {
      add("Will-Retry-Until", write_date(*recipient.will_retry_until, report.offset_minutes));
    }
  }
  return out;
}

bool is_eight_bit(Bytes text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

void append_part(std::string& out, const Report& report, std::string_view type, std::string_view content) {
  out.append("--").append(report.boundary).append("\r\nContent-Type: ").append(type).append("\r\n");
  if (is_eight_bit(content)) out.append("Content-Transfer-Encoding: 8bit\r\n");
  out.append("\r\n").append(content).append("\r\n");
}

}  // namespace

std::optional<Language> language_of(std::string_view tag) {
  const std::string_view primary = tag.substr(0, tag.find_first_of("-_."));
  if (ascii::equal_ignoring_case(primary, "fr")) return Language::french;
  if (ascii::equal_ignoring_case(primary, "en")) return Language::english;
  return std::nullopt;
}

std::string build_report(const Report& report) {
  const Phrases& phrases = report.language == Language::french ? french : english;
  // The builder writes the header and the text; its Content-Type lines are replaced by those of a report.
  Draft draft;
  draft.from = {std::string(phrases.sender_name), report.from};
  draft.to = {{{}, report.to}};
  draft.subject = subject_of(phrases, report.recipients);
  draft.message_id = report.message_id;
  draft.at = report.at;
  draft.offset_minutes = report.offset_minutes;
  draft.text = write_text(report, phrases);
  // RFC 3834 §3.1.7: no automatic reply may be sent to this.
  draft.fields.emplace_back("Auto-Submitted", "auto-replied");
  const std::string plain = build_message(draft);
  const std::size_t text_part = plain.find("Content-Type: ");
  std::string out = plain.substr(0, text_part);
  out.append("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
  out.append(report.boundary).append("\"\r\n\r\n--").append(report.boundary).append("\r\n");
  out.append(plain, text_part).append("\r\n");
  append_part(out, report, report.utf8 ? "message/global-delivery-status" : "message/delivery-status",
              write_status(report));
  if (report.headers_only) {
    const Bytes header = report.original.substr(0, header_length(report.original));
    append_part(out, report, report.utf8 ? "message/global-headers" : "text/rfc822-headers", header);
  } else {
    append_part(out, report, report.utf8 ? "message/global" : "message/rfc822", report.original);
  }
  return out.append("--").append(report.boundary).append("--\r\n");
}

}  // namespace facteur::message
