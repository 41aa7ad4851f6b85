// message: what a person wants to know of a file; import, export: many messages in and out of an account.
#include "cli/command_line.hpp"
#include "cli/import.hpp"
#include "cli/message_file.hpp"
#include "cli/trace.hpp"

namespace facteur::cli {

void add_message_commands(CommandLine& line) {
  auto* parent = line.group("message");
  const auto file = values<std::string>();
  *file = "-";
  const auto on_file = [&](const std::string& name, int (*action)(const Context&, const std::string&)) {
    line.command(parent, name, [&line, file, action] { return action(line.context(), *file); })
        ->add_option("file", *file, line.say("help.trace.file"));
  };
  on_file("show", message_show);
  on_file("structure", message_structure);
  on_file("headers", message_headers);
  on_file("trace", trace);
  on_file("verify", message_verify);
  add_compose_commands(line, parent);
}

void add_moving_commands(CommandLine& line) {
  const auto import = values<ImportOptions>();
  auto* in = line.command(&line.app(), "import", [&line, import] { return import_letters(line.context(), *import); });
  in->add_option("address", import->address, line.say("help.address"))->required();
  in->add_option("source", import->source, line.say("help.import.source"))->required();
  in->add_option("--into", import->into, line.say("help.import.into"));
  in->add_option("--format", import->format, line.say("help.import.format"));
  in->add_flag("--again", import->again, line.say("help.import.again"));
  in->add_flag("--ignore-quota", import->ignore_quota, line.say("help.import.ignore_quota"));
  const auto to = values<ExportOptions>();
  to->format = "mbox";
  to->dialect = "mboxrd";
  auto* out = line.command(&line.app(), "export", [&line, to] { return export_letters(line.context(), *to); });
  out->add_option("address", to->address, line.say("help.address"))->required();
  out->add_option("target", to->target, line.say("help.export.target"))->required();
  out->add_option("--format", to->format, line.say("help.export.format"));
  out->add_option("--dialect", to->dialect, line.say("help.export.dialect"));
  out->add_option("--mailbox", to->mailboxes, line.say("help.export.mailbox"));
}

}  // namespace facteur::cli
