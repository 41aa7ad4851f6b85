// message compose, receipt, complaint, join: messages made from files.
#include "cli/command_line.hpp"
#include "cli/compose.hpp"

namespace facteur::cli {
namespace {

void add_compose(CommandLine& line, CLI::App* parent) {
  const auto v = values<ComposeOptions>();
  auto* out = line.command(parent, "compose", [&line, v] { return message_compose(line.context(), *v); });
  const auto say = [&](std::string_view key) { return line.say("help.compose." + std::string(key)); };
  const auto many = [&](const char* name, std::vector<std::string>& into, std::string_view key) {
    return out->add_option(name, into, say(key))->allow_extra_args(false);
  };
  many("--from", v->from, "from")->required();
  many("--sender", v->sender, "sender");
  many("--to", v->to, "to");
  many("--cc", v->cc, "cc");
  many("--bcc", v->bcc, "bcc");
  many("--reply-to", v->reply_to, "reply_to");
  out->add_option("--subject", v->subject, say("subject"));
  out->add_option("--text", v->text, say("text"));
  out->add_option("--html", v->html, say("html"));
  many("--attach", v->attached, "attach");
  many("--inline", v->inlined, "inline");
  many("--forward", v->forwarded, "forward");
  auto* answered = out->add_option("--reply-to-message", v->parent, say("parent"));
  out->add_flag("--all", v->all, say("all"))->needs(answered);
  out->add_flag("--quote", v->quote, say("quote"))->needs(answered);
  out->add_flag("--flowed", v->flowed, say("flowed"));
  out->add_flag("--request-receipt", v->notify, say("notify"));
  out->add_flag("--8bit", v->eight_bit, say("eight_bit"));
  out->add_flag("--utf8", v->utf8, say("utf8"));
  out->add_option("--split", v->split, say("split"));
}

void add_receipt(CommandLine& line, CLI::App* parent) {
  const auto v = values<ReceiptOptions>();
  v->file = "-";
  auto* out = line.command(parent, "receipt", [&line, v] { return message_receipt(line.context(), *v); });
  out->add_option("file", v->file, line.say("help.trace.file"));
  out->add_option("--from", v->from, line.say("help.receipt.from"))->required();
  out->add_option("--disposition", v->disposition, line.say("help.receipt.disposition"))
      ->check(CLI::IsMember({"displayed", "deleted", "dispatched", "processed"}));
  out->add_flag("--automatic", v->automatic, line.say("help.receipt.automatic"));
}

void add_complaint(CommandLine& line, CLI::App* parent) {
  const auto v = values<ComplaintOptions>();
  v->file = "-";
  auto* out = line.command(parent, "complaint", [&line, v] { return message_complaint(line.context(), *v); });
  out->add_option("file", v->file, line.say("help.trace.file"));
  out->add_option("--from", v->from, line.say("help.compose.from"))->required();
  out->add_option("--to", v->to, line.say("help.compose.to"))->required()->allow_extra_args(false);
  out->add_option("--kind", v->kind, line.say("help.complaint.kind"))
      ->check(CLI::IsMember({"abuse", "fraud", "virus", "other", "not-spam"}));
  out->add_flag("--headers-only", v->headers_only, line.say("help.complaint.headers_only"));
}

}  // namespace

void add_compose_commands(CommandLine& line, CLI::App* parent) {
  add_compose(line, parent);
  add_receipt(line, parent);
  add_complaint(line, parent);
  const auto files = values<std::vector<std::string>>();
  line.command(parent, "join", [&line, files] { return message_join(line.context(), *files); })
      ->add_option("file", *files, line.say("help.join.files"))
      ->required();
}

}  // namespace facteur::cli
