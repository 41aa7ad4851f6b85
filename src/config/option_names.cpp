#include "config/option_names.hpp"

#include "config/describe.hpp"
#include "config/nearest.hpp"

namespace facteur::config {

namespace {

// One option as it is told to people.
struct Told {
  std::string path;
  Option option;
  std::string value;
};

struct ToldTable {
  std::string path;
  std::string sentence;
  bool repeated = false;
  bool optional = false;
  std::vector<Told> options;
};

// Every table once: repeated ones by one element with defaults.
class Teller : public Visitor {
 public:
  explicit Teller(std::vector<ToldTable>& tables) : tables_(tables), here_(tables.size()) { tables_.push_back({}); }
  void option(const Option& option) override {
    tables_[here_].options.push_back({prefix_ + std::string(option.name), option, option.show()});
  }
  void table(const Subtable& subtable) override {
    const bool absent = subtable.size() == 0;
    if (absent) subtable.grow();
    Teller below(tables_);
    below.prefix_ = prefix_ + std::string(subtable.name) + ".";
    tables_[below.here_].path = prefix_ + std::string(subtable.name);
    tables_[below.here_].sentence = subtable.sentence;
    tables_[below.here_].repeated = subtable.repeated;
    tables_[below.here_].optional = absent && !subtable.repeated;
    subtable.describe(0, below);
  }

 private:
  std::vector<ToldTable>& tables_;
  std::size_t here_;
  std::string prefix_;
};

std::vector<ToldTable> tables_of_defaults() {
  std::vector<ToldTable> tables;
  Config config;
  Teller teller(tables);
  describe(config, teller);
  return tables;
}

std::string heading(const ToldTable& table) {
  if (table.path.empty()) return "";
  return table.repeated ? "[[" + table.path + "]]" : "[" + table.path + "]";
}

std::string plain_default(const Told& told) {
  if (told.option.required) return "none: must be given";
  return told.value;
}

// Every value that is there, by path.
class Lister : public Visitor {
 public:
  explicit Lister(std::vector<std::pair<std::string, std::string>>& out) : out_(out) {}
  void option(const Option& option) override { out_.emplace_back(prefix_ + std::string(option.name), option.show()); }
  void table(const Subtable& subtable) override {
    for (std::size_t i = 0; i < subtable.size(); ++i) {
      Lister below(out_);
      below.prefix_ = prefix_ + std::string(subtable.name);
      if (subtable.repeated) below.prefix_ += "[" + std::to_string(i) + "]";
      below.prefix_ += ".";
      subtable.describe(i, below);
    }
  }

 private:
  std::vector<std::pair<std::string, std::string>>& out_;
  std::string prefix_;
};

std::string without_indexes(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) out += c;
    if (c == ']') inside = false;
  }
  return out;
}

std::string present_values(std::string_view path, const Loaded& loaded) {
  std::vector<std::pair<std::string, std::string>> values;
  Config copy = loaded.config;
  Lister lister(values);
  describe(copy, lister);
  std::string out;
  for (const auto& [name, value] : values) {
    if (without_indexes(name) != path) continue;
    const auto at = loaded.set_at.find(name);
    out += "  now: " + (name == path ? "" : name + " = ") + value +
           (at == loaded.set_at.end() ? " (default)" : " (set at " + at->second + ")") + "\n";
  }
  return out;
}

std::string explained(const Told& told, const Loaded* loaded) {
  std::string out =
      told.path + " (" + std::string(told.option.type) + ")\n  " + std::string(told.option.sentence) + "\n";
  out += "  default: " + plain_default(told) + "\n";
  if (!told.option.limits.empty()) out += "  possible: " + told.option.limits + "\n";
  if (!told.option.rfc.empty()) out += "  see: " + std::string(told.option.rfc) + "\n";
  if (loaded) out += present_values(told.path, *loaded);
  return out;
}

}  // namespace

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  for (const auto& table : tables_of_defaults()) {
    for (const auto& told : table.options) names.push_back(told.path);
  }
  return names;
}

std::string reference_page() {
  std::string out =
      "# Configuration reference\n\n"
      "Made from the schema by `facteur config reference`; do not edit.\n\n"
      "The file is TOML, `/etc/facteur/facteur.toml` unless `-c FILE` says otherwise; `conf.d/*.toml` beside it adds "
      "to "
      "it. `hostname`, `domains` and `postmaster` are enough for a working server. Durations are written `\"30s\"`, "
      "`\"5m\"`, `\"4h\"`, `\"5d\"`; sizes `\"64 KiB\"`, `\"50 MiB\"`. `facteur config check` says all that is wrong "
      "at "
      "once; `facteur config explain OPTION` shows one option.\n";
  for (const auto& table : tables_of_defaults()) {
    out +=
        table.path.empty() ? "\n## Top of the file\n\n" : "\n## `" + heading(table) + "`\n\n" + table.sentence + "\n\n";
    if (table.options.empty()) continue;
    out += "| Option | Type | Default | Possible | What it does | Standard |\n|---|---|---|---|---|---|\n";
    for (const auto& told : table.options) {
      out += "| `" + std::string(told.option.name) + "` | " + std::string(told.option.type) + " | " +
             (told.option.required ? "must be given" : "`" + told.value + "`") + " | " + told.option.limits + " | " +
             std::string(told.option.sentence) + " | " + std::string(told.option.rfc) + " |\n";
    }
  }
  return out;
}

std::string example_file() {
  std::string out =
      "# Facteur's configuration. The first three lines are enough; everything else shows its default.\n"
      "# Made from the schema by `facteur config example`. See docs/reference.md.\n\n"
      "hostname = \"mx.example.org\"\ndomains = [\"example.org\"]\npostmaster = \"anne@example.org\"\n";
  for (const auto& table : tables_of_defaults()) {
    if (table.path.empty() || table.options.empty()) continue;
    out += "\n# " + table.sentence + "\n";
    const bool comment_out = table.repeated || table.optional;
    out += (comment_out ? "# " : "") + heading(table) + "\n";
    for (const auto& told : table.options) {
      out +=
          "# " + std::string(told.option.name) + " = " + told.value + "  # " + std::string(told.option.sentence) + "\n";
    }
  }
  return out;
}

std::optional<std::string> explain(std::string_view name, const Loaded* loaded) {
  std::string out;
  for (const auto& table : tables_of_defaults()) {
    if (!table.path.empty() && table.path == name) {
      out += heading(table) + "\n  " + table.sentence + "\n";
      for (const auto& told : table.options) out += explained(told, loaded);
      return out;
    }
    for (const auto& told : table.options) {
      if (told.path == name) return explained(told, loaded);
    }
  }
  return std::nullopt;
}

std::optional<std::string> nearest_option(std::string_view name) {
  const auto all = option_names();
  if (name.find('.') == std::string_view::npos) {
    for (const auto& known : all) {
      if (known.ends_with("." + std::string(name))) return known;
    }
  }
  return nearest(name, all);
}

std::string differences(const Config& config) {
  std::vector<std::pair<std::string, std::string>> values;
  Config copy = config;
  Lister lister(values);
  describe(copy, lister);
  std::string out;
  const auto tables = tables_of_defaults();
  for (const auto& [name, value] : values) {
    const std::string plain = without_indexes(name);
    for (const auto& table : tables) {
      for (const auto& told : table.options) {
        if (told.path != plain || (told.value == value && !told.option.required)) continue;
        out += name + " = " + value;
        if (!told.option.required) out += "  # default " + told.value;
        out += "\n";
      }
    }
  }
  return out;
}

}  // namespace facteur::config
