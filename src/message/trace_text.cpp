// A trace for people, in English and French, and for programs, in JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/inert.hpp"
#include "message/trace.hpp"

namespace facteur::message {
namespace {

struct Phrases {
  std::string_view from, to, subject, sent, returns_to, null_path, delivered_to;
  std::string_view none;
  std::string_view counts;  // {} fields, {} by SMTP, {} servers.
  std::string_view servers, origin, unknown_host;
  std::string_view hops, handed_over, at_unknown;
  std::string_view with, tls, clear, authenticated, local, not_smtp, gap, skew, added;
  std::string_view total, below;
};

constexpr Phrases english = {
    .from = "From",
    .to = "To",
    .subject = "Subject",
    .sent = "Date",
    .returns_to = "Errors go to",
    .null_path = "nobody (null path)",
    .delivered_to = "Delivered to",
    .none = "No Received field: the message never went through a mail server, or its trace was removed.",
    .counts = "{} Received fields, {} of them for SMTP; {} servers, in order:",
    .servers = "Servers",
    .origin = "(where it was handed in)",
    .unknown_host = "(no name)",
    .hops = "Hops, oldest first:",
    .handed_over = "handed over on",
    .at_unknown = "(no date)",
    .with = "with",
    .tls = "encrypted",
    .clear = "not encrypted",
    .authenticated = "sender logged in",
    .local = "within one machine",
    .not_smtp = "not SMTP",
    .gap = "not the host of the hop before: a step is not recorded, or a host has two names",
    .skew = "before the hop before: a clock is wrong",
    .added = "added here:",
    .total = "Time taken:",
    .below = "Written by the sender (or without trace):"};

constexpr Phrases french = {
    .from = "Émetteur",
    .to = "Destinataire",
    .subject = "Objet",
    .sent = "Date",
    .returns_to = "Erreurs renvoyées à",
    .null_path = "personne (chemin nul)",
    .delivered_to = "Distribué à",
    .none = "Aucun champ Received : le message n'est passé par aucun serveur, ou sa trace a été effacée.",
    .counts = "{} champs Received, dont {} pour SMTP ; {} serveurs, dans l'ordre :",
    .servers = "Serveurs",
    .origin = "(où il a été déposé)",
    .unknown_host = "(sans nom)",
    .hops = "Étapes, de la plus ancienne à la plus récente :",
    .handed_over = "remis sur",
    .at_unknown = "(sans date)",
    .with = "par",
    .tls = "chiffré",
    .clear = "en clair",
    .authenticated = "expéditeur identifié",
    .local = "dans une même machine",
    .not_smtp = "pas SMTP",
    .gap = "pas l'hôte de l'étape précédente : une étape n'est pas notée, ou un hôte a deux noms",
    .skew = "avant l'étape précédente : une horloge est fausse",
    .added = "ajoutés ici :",
    .total = "Durée du trajet :",
    .below = "Écrits par l'expéditeur (ou sans trace) :"};

// "1 h 2 min 3 s", "-4 s".
std::string duration(std::int64_t seconds) {
  std::string out = seconds < 0 ? "-" : "";
  const std::int64_t all = std::llabs(seconds);
  if (all >= 86'400) out += fmt::format("{} d ", all / 86'400);
  if (all >= 3'600) out += fmt::format("{} h ", all / 3'600 % 24);
  if (all >= 60) out += fmt::format("{} min ", all / 60 % 60);
  return out + fmt::format("{} s", all % 60);
}

std::string host(std::string_view name, const std::optional<IpAddress>& ip, const Phrases& say) {
  std::string out(name.empty() ? say.unknown_host : name);
  if (ip) out += " [" + to_string(*ip) + "]";
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// Line ends are ours; all other controls, and what changes direction or hides, came with the message, tabs too.
std::string shown(std::string_view text) {
  std::string out = inert_text(text, true);
  std::ranges::replace(out, '\t', ' ');
  return out;
}

std::string delay_text(const Hop& hop) {
  if (!hop.delay_seconds) return {};
  return (*hop.delay_seconds < 0 ? "" : "+") + duration(*hop.delay_seconds);
}

void write_hop(std::string& out, const Hop& hop, std::size_t number, const Phrases& say) {
  const auto& f = hop.field;
  const std::string date = f.date ? write_date(f.date->time, f.date->offset_minutes) : std::string(say.at_unknown);
  const bool from_known = !f.from.empty() || f.from_ip;
  const std::string from = from_known ? host(f.from, f.from_ip, say) + " -> " : std::string(say.handed_over) + " ";
  out += fmt::format("{:3}. {}  {}\n     {}{}\n", number, date, delay_text(hop), from,
                     f.by.empty() ? say.unknown_host : std::string_view(f.by));
  std::vector<std::string> facts;
  if (!f.with.empty()) facts.push_back(fmt::format("{} {}", say.with, f.with));
  if (hop.encrypted) {
    facts.push_back(std::string(say.tls));
    if (!f.tls_version.empty()) facts.back() += " (" + f.tls_version + ")";
  } else if (hop.smtp && !hop.local) {
    facts.emplace_back(say.clear);
  }
  if (hop.authenticated) facts.emplace_back(say.authenticated);
  if (hop.local) facts.emplace_back(say.local);
  if (!hop.smtp) facts.emplace_back(say.not_smtp);
  if (!f.by_comment.empty()) facts.push_back(f.by_comment);
  if (!facts.empty()) out += "     " + joined(facts) + "\n";
  if (hop.gap) out += fmt::format("     ! {}\n", say.gap);
  if (hop.clock_skew) out += fmt::format("     ! {}\n", say.skew);
  if (!hop.added.empty()) out += fmt::format("     {} {}\n", say.added, joined(hop.added));
}

std::size_t smtp_hops(const Trace& trace) {
  std::size_t count = 0;
  for (const auto& hop : trace.hops) count += hop.smtp;
  return count;
}

std::size_t server_count(const Trace& trace) {
  std::size_t count = 0;
  for (const auto& server : trace.servers) count += !server.origin;
  return count;
}

}  // namespace

std::string write_trace(const Trace& trace, Language language) {
  const Phrases& say = language == Language::french ? french : english;
  const std::string_view colon = language == Language::french ? " : " : ": ";
  std::string out;
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out.append(name).append(colon).append(inert_text(value)).append("\n");
  };
  line(say.from, trace.from);
  line(say.to, trace.to);
  line(say.subject, trace.subject);
  if (trace.date) line(say.sent, write_date(trace.date->time, trace.date->offset_minutes));
  if (trace.has_return_path) line(say.returns_to, trace.return_path.empty() ? say.null_path : trace.return_path);
  line(say.delivered_to, trace.delivered_to);
  if (trace.hops.empty()) return shown(out) + "\n" + std::string(say.none) + "\n";
  out += "\n" + fmt::format(fmt::runtime(say.counts), trace.hops.size(), smtp_hops(trace), server_count(trace)) + "\n";
  std::size_t number = 0;
  for (const auto& server : trace.servers) {
    out += server.origin ? "   -  " : fmt::format("{:4}. ", ++number);
    out += host(server.name, server.ip, say);
    if (server.origin) out.append(" ").append(say.origin);
    out += "\n";
  }
  out.append("\n").append(say.hops).append("\n");
  for (std::size_t i = 0; i < trace.hops.size(); ++i) write_hop(out, trace.hops[i], i + 1, say);
  out += "\n";
  if (trace.total_seconds) out += fmt::format("{} {}\n", say.total, duration(*trace.total_seconds));
  if (!trace.added_by_sender.empty()) out += fmt::format("{} {}\n", say.below, joined(trace.added_by_sender));
  return shown(out);
}

namespace {

// RFC 8259 §7; §8.1: in UTF-8, whatever the message had.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  std::string valid;
  if (!is_utf8(text)) text = valid = to_utf8(text, "utf-8");
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (ascii::is_control(c)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Members of one JSON object, written one behind the other.
class Object {
 public:
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, quoted(value));
  }
  void flag(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void number(std::string_view name, const std::optional<std::int64_t>& value) {
    if (value) raw(name, std::to_string(*value));
  }
  void list(std::string_view name, const std::vector<std::string>& values) {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ",") + quoted(value);
    raw(name, "[" + all + "]");
  }
  void date(std::string_view name, const std::optional<ZonedTime>& value) {
    if (value) text(name, write_iso_date(value->time));
  }
  void raw(std::string_view name, std::string_view value) {
    out_ += (out_.empty() ? "" : ",") + quoted(name) + ":";
    out_.append(value);
  }
  std::string str() const { return "{" + out_ + "}"; }

 private:
  std::string out_;
};

std::string ip_text(const std::optional<IpAddress>& ip) { return ip ? to_string(*ip) : std::string(); }

std::string hop_json(const Hop& hop) {
  const auto& f = hop.field;
  Object object;
  object.text("from", f.from);
  object.text("from_reverse", f.from_reverse);
  object.text("from_ip", ip_text(f.from_ip));
  object.text("by", f.by);
  object.text("by_comment", f.by_comment);
  object.text("via", f.via);
  object.text("with", f.with);
  object.text("id", f.id);
  object.text("for", f.for_address);
  object.text("tls_version", f.tls_version);
  object.text("tls_cipher", f.tls_cipher);
  object.text("invoked", f.invoked);
  object.date("date", f.date);
  object.number("delay_seconds", hop.delay_seconds);
  object.flag("smtp", hop.smtp);
  object.flag("local", hop.local);
  object.flag("encrypted", hop.encrypted);
  object.flag("authenticated", hop.authenticated);
  object.flag("gap", hop.gap);
  object.flag("clock_skew", hop.clock_skew);
  object.list("added", hop.added);
  return object.str();
}

}  // namespace

std::string write_trace_json(const Trace& trace) {
  Object object;
  object.text("from", trace.from);
  object.text("to", trace.to);
  object.text("subject", trace.subject);
  object.text("message_id", trace.message_id);
  if (trace.has_return_path) object.raw("return_path", quoted(trace.return_path));
  object.text("delivered_to", trace.delivered_to);
  object.date("date", trace.date);
  object.number("total_seconds", trace.total_seconds);
  std::string servers;
  for (const auto& server : trace.servers) {
    Object one;
    one.text("name", server.name);
    one.text("ip", ip_text(server.ip));
    one.flag("origin", server.origin);
    servers += (servers.empty() ? "" : ",") + one.str();
  }
  object.raw("servers", "[" + servers + "]");
  std::string hops;
  for (const auto& hop : trace.hops) hops += (hops.empty() ? "" : ",") + hop_json(hop);
  object.raw("hops", "[" + hops + "]");
  object.list("added_by_sender", trace.added_by_sender);
  return object.str() + "\n";
}

}  // namespace facteur::message
