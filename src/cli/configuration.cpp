#include "cli/configuration.hpp"

#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cli/processes.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "config/option_names.hpp"
#include "config/option_values.hpp"
#include "crypto/tls.hpp"
#include "roles/system_calls.hpp"

namespace facteur::cli {

namespace {

namespace json = boost::json;

// What needs other files: certificates and the zone.
std::vector<config::Problem> files_problems(const config::Loaded& loaded) {
  std::vector<config::Problem> out;
  for (std::size_t i = 0; i < loaded.config.tls.certificates.size(); ++i) {
    const auto& files = loaded.config.tls.certificates[i];
    const auto where = loaded.set_at.find("tls.certificate[" + std::to_string(i) + "]");
    const std::string at = where == loaded.set_at.end() ? "tls.certificate" : where->second;
    auto chain = read_file(files.certificate);
    auto key = read_file(files.key);
    if (!chain || !key) {
      out.push_back({at, (chain ? files.key : files.certificate) + " cannot be read"});
      continue;
    }
    crypto::TlsServerContext::Options options;
    options.certificates.push_back({std::move(*chain), std::move(*key)});
    auto context = crypto::TlsServerContext::make(options);
    if (!context) out.push_back({at, context.error().text + ": " + context.error().cause});
  }
  const std::string& anchors = loaded.config.dns.trust_anchor_file;
  if (!anchors.empty() && !read_file(anchors)) {
    out.push_back({loaded.set_at.at("dns.trust_anchor_file"), anchors + " cannot be read"});
  }
  if (!loaded.config.dns.zone_file.empty() && !read_file(loaded.config.dns.zone_file)) {
    out.push_back({loaded.set_at.at("dns.zone_file"), loaded.config.dns.zone_file + " cannot be read"});
  }
  return out;
}

}  // namespace

int config_check(const Context& context) {
  auto loaded = config::load(context.config_path);
  if (loaded.good()) loaded.problems = files_problems(loaded);
  if (context.json) {
    json::array problems;
    for (const auto& p : loaded.problems) problems.push_back(json::object{{"where", p.where}, {"text", p.text}});
    print(json::serialize(problems) + "\n");
  } else if (loaded.good()) {
    print(context.say("config.good", {context.config_path}) + "\n");
    const bool wanted = loaded.config.server.sandbox;
    if (!wanted) print(context.say("check.sandbox_off") + "\n");
    if (wanted && roles::landlock_version() < 1) print(context.say("check.no_landlock") + "\n");
    const Plan plan = plan_of(loaded.config);
    const std::string lacks = plan.impossible.empty() ? plan.missing : plan.impossible;
    if (!lacks.empty()) print(context.say("check.privileges", {lacks}) + "\n");
    if (wanted && roles::allowed_calls(roles::Role::whole).empty()) print(context.say("check.no_filter") + "\n");
  } else {
    print(config::to_string(loaded.problems));
    complain(context.say("config.bad", {std::to_string(loaded.problems.size())}));
  }
  return loaded.good() ? ExitCode::done : ExitCode::wrong_configuration;
}

int config_explain(const Context& context, const std::string& option) {
  if (option.empty()) {
    for (const auto& name : config::option_names()) print(name + "\n");
    return ExitCode::done;
  }
  std::error_code none;
  const bool there = std::filesystem::exists(context.config_path, none);
  const config::Loaded loaded = there ? config::load(context.config_path) : config::Loaded{};
  if (const auto text = config::explain(option, there ? &loaded : nullptr)) {
    print(*text);
    return ExitCode::done;
  }
  const auto near = config::nearest_option(option);
  complain(near ? context.say("config.unknown_near", {option, *near}) : context.say("config.unknown", {option}));
  return ExitCode::failed;
}

int config_diff(const Context& context) {
  const auto loaded = config::load(context.config_path);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  print(config::differences(loaded.config));
  return ExitCode::done;
}

int config_example() {
  print(config::example_file());
  return ExitCode::done;
}

int config_reference() {
  print(config::reference_page());
  return ExitCode::done;
}

int init(const Context& context, const FirstConfiguration& first) {
  std::error_code none;
  if (std::filesystem::exists(context.config_path, none)) {
    complain(context.say("error.exists", {context.config_path}));
    return ExitCode::failed;
  }
  std::string text = "hostname = " + config::quoted(first.hostname) + "\ndomains = [" + config::quoted(first.domain) +
                     "]\npostmaster = " + config::quoted(first.postmaster) + "\n";
  if (!first.data.empty()) text += "\n[server]\ndata = " + config::quoted(first.data) + "\n";
  const auto checked = config::parse({{context.config_path, text}});
  if (!checked.good()) {
    complain(config::to_string(checked.problems));
    return ExitCode::wrong_usage;
  }
  const auto folder = std::filesystem::path(context.config_path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, none);
  std::ofstream file(context.config_path);
  file << text;
  file.close();
  if (!file) {
    complain(context.say("error.write", {context.config_path}));
    return ExitCode::failed;
  }
  print(context.say("init.written", {context.config_path}) + "\n" +
        context.say("init.next", {first.postmaster, context.config_path, context.config_path}) + "\n");
  return ExitCode::done;
}

}  // namespace facteur::cli
