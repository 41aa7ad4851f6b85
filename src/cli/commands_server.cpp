// serve, reload, status, init, trace, demo, version, help.
#include "cli/command_line.hpp"
#include "cli/configuration.hpp"
#include "cli/demo.hpp"
#include "cli/print.hpp"
#include "cli/serve.hpp"
#include "cli/trace.hpp"

namespace facteur::cli {

namespace {

void add_init(CommandLine& line) {
  const auto first = values<FirstConfiguration>();
  auto* out = line.command(&line.app(), "init", [&line, first] { return init(line.context(), *first); });
  out->add_option("--hostname", first->hostname, line.say("help.init.hostname"))->required();
  out->add_option("--domain", first->domain, line.say("help.init.domain"))->required();
  out->add_option("--postmaster", first->postmaster, line.say("help.init.postmaster"))->required();
  out->add_option("--data", first->data, line.say("help.init.data"));
}

void add_demo(CommandLine& line) {
  const auto options = values<DemoOptions>();
  auto* out = line.command(&line.app(), "demo", [&line, options] { return demo(line.context(), *options); });
  out->add_flag("--once", options->once, line.say("help.demo.once"));
  out->add_option("--keep", options->keep, line.say("help.demo.keep"));
  out->add_option("--base-port", options->base_port, line.say("help.demo.base_port"))->check(CLI::Range(1024, 64000));
}

}  // namespace

void add_server_commands(CommandLine& line) {
  CLI::App* top = &line.app();
  line.command(top, "serve", [&line] { return serve(line.context()); })->alias("run");
  line.command(top, "reload", [&line] { return line.ask_and({{"command", "reload"}}, {}, true); });
  line.command(top, "status", [&line] { return line.ask_and({{"command", "status"}}, members); });
  add_init(line);
  const auto file = values<std::string>();
  *file = "-";
  line.command(top, "trace", [&line, file] { return trace(line.context(), *file); })
      ->add_option("file", *file, line.say("help.trace.file"));
  add_demo(line);
  line.command(top, "version", [] {
    print("facteur " FACTEUR_VERSION "\n");
    return int{ExitCode::done};
  });
  line.command(top, "help", [&line] {
    // Not app.help(): that answers for the subcommand that was given, which is "help" itself.
    print(line.app().get_formatter()->make_help(&line.app(), "facteur", CLI::AppFormatMode::All));
    return int{ExitCode::done};
  });
}

void add_config_commands(CommandLine& line) {
  auto* parent = line.group("config");
  line.command(parent, "check", [&line] { return config_check(line.context()); });
  const auto option = values<std::string>();
  line.command(parent, "explain", [&line, option] { return config_explain(line.context(), *option); })
      ->add_option("option", *option, line.say("help.option"));
  line.command(parent, "diff", [&line] { return config_diff(line.context()); });
  line.command(parent, "example", [] { return config_example(); });
  line.command(parent, "reference", [] { return config_reference(); });
}

}  // namespace facteur::cli
