#include "config/load.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <tuple>

#include <toml++/toml.h>

#include "base/ascii.hpp"
#include "config/check.hpp"
#include "config/describe.hpp"
#include "config/nearest.hpp"
#include "config/option_names.hpp"

namespace facteur::config {

namespace {

// The same table as it stands in several files.
struct Part {
  const std::string* file;
  const toml::table* table;
};
using Level = std::vector<Part>;

Raw raw_of(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return {value->get()};
  if (const auto* value = node.as_integer()) return {value->get()};
  if (const auto* value = node.as_floating_point()) return {value->get()};
  if (const auto* value = node.as_string()) return {value->get()};
  std::vector<Raw> items;
  if (const auto* array = node.as_array()) {
    for (const auto& item : *array) items.push_back(raw_of(item));
    return {std::move(items)};
  }
  return {0.0};  // A table or a date where a value is expected: no option takes this.
}

std::string position(const std::string& file, const toml::node& node) {
  return file + ":" + std::to_string(node.source().begin.line);
}

// Walks schema and files side by side.
class Reader : public Visitor {
 public:
  Reader(Level root, Loaded& out) : level_(std::move(root)), out_(out) {}

  void option(const Option& option) override {
    known_.emplace(option.name);
    const toml::node* found = nullptr;
    const std::string path = prefix_ + std::string(option.name);
    for (const auto& part : level_) {
      const toml::node* node = part.table->get(option.name);
      if (!node) continue;
      const std::string where = position(*part.file, *node);
      if (found) {
        out_.problems.push_back({where, path + " is set already at " + out_.set_at[path]});
        continue;
      }
      found = node;
      out_.set_at[path] = where;
      if (auto wrong = option.set(raw_of(*node))) out_.problems.push_back({where, path + ": " + *wrong});
    }
    if (!found && option.required) missing(path, option);
  }

  void table(const Subtable& subtable) override {
    known_.emplace(subtable.name);
    if (subtable.repeated) {
      for (const auto& part : level_) repeated(subtable, part);
      return;
    }
    Level inner;
    for (const auto& part : level_) {
      const toml::node* node = part.table->get(subtable.name);
      if (!node) continue;
      const auto* table = node->as_table();
      if (table) {
        inner.push_back({part.file, table});
      } else {
        out_.problems.push_back({position(*part.file, *node), prefix_ + std::string(subtable.name) + " is a table: [" +
                                                                  prefix_ + std::string(subtable.name) + "]"});
      }
    }
    if (inner.empty()) return;
    if (subtable.size() == 0) subtable.grow();
    out_.set_at[prefix_ + std::string(subtable.name)] = position(*inner.front().file, *inner.front().table);
    below(subtable, 0, std::string(subtable.name), std::move(inner));
  }

  // Says which keys of this level nobody knows.
  void finish() {
    for (const auto& part : level_) {
      for (const auto& [key, node] : *part.table) {
        if (known_.contains(std::string(key.str()))) continue;
        std::string text = "there is no option " + prefix_ + std::string(key.str());
        if (const auto better = better_name(key.str())) text += "; did you mean " + *better + "?";
        out_.problems.push_back({*part.file + ":" + std::to_string(key.source().begin.line), text});
      }
    }
  }

 private:
  void missing(const std::string& path, const Option& option) {
    std::string where = level_.empty() ? "configuration" : *level_.front().file;
    if (!prefix_.empty() && !level_.empty()) where = position(where, *level_.front().table);
    out_.problems.push_back({where, path + " is missing: " + std::string(option.sentence)});
  }

  void repeated(const Subtable& subtable, const Part& part) {
    const toml::node* node = part.table->get(subtable.name);
    if (!node) return;
    const std::string name = prefix_ + std::string(subtable.name);
    const auto* array = node->as_array();
    if (!array) {
      out_.problems.push_back({position(*part.file, *node), name + " may be repeated: write [[" + name + "]]"});
      return;
    }
    for (const auto& element : *array) {
      const auto* table = element.as_table();
      if (!table) {
        out_.problems.push_back({position(*part.file, element), name + " is a table: write [[" + name + "]]"});
        continue;
      }
      const std::size_t index = subtable.size();
      subtable.grow();
      const std::string indexed = std::string(subtable.name) + "[" + std::to_string(index) + "]";
      out_.set_at[prefix_ + indexed] = position(*part.file, *table);
      below(subtable, index, indexed, Level{{part.file, table}});
    }
  }

  void below(const Subtable& subtable, std::size_t index, const std::string& name, Level inner) {
    Reader reader(std::move(inner), out_);
    reader.prefix_ = prefix_ + name + ".";
    subtable.describe(index, reader);
    reader.finish();
  }

  // First among the keys of this table, then in the whole schema.
  std::optional<std::string> better_name(std::string_view key) const {
    if (auto here = nearest(key, {known_.begin(), known_.end()})) return prefix_ + *here;
    const auto all = option_names();
    for (const auto& name : all) {
      if (name.ends_with("." + std::string(key)) || name == key) return name;
    }
    return std::nullopt;
  }

  Level level_;
  Loaded& out_;
  std::string prefix_;
  std::set<std::string> known_;
};

// The place of an option, or of the table around it, or the first file.
std::string place_of(const Loaded& loaded, std::string option, const std::vector<Source>& sources) {
  while (!option.empty()) {
    const auto found = loaded.set_at.find(option);
    if (found != loaded.set_at.end()) return found->second;
    const auto dot = option.rfind('.');
    option.resize(dot == std::string::npos ? 0 : dot);
  }
  return sources.empty() ? "configuration" : sources.front().name;
}

void parse_sources(const std::vector<Source>& sources, std::vector<toml::table>& tables, Level& level, Loaded& out) {
  tables.reserve(sources.size());  // Level points into it.
  for (const auto& source : sources) {
    try {
      tables.push_back(toml::parse(std::string_view(source.text), std::string_view(source.name)));
      level.push_back({&source.name, &tables.back()});
    } catch (const toml::parse_error& error) {
      out.problems.push_back({source.name + ":" + std::to_string(error.source().begin.line),
                              "this is not TOML: " + std::string(error.description())});
    }
  }
}

void name_listeners(Config& config) {
  static constexpr std::string_view names[] = {"exchanger", "submission", "lmtp", "imap", "pop3"};
  for (auto& listener : config.listeners) {
    if (!listener.name.empty()) continue;
    listener.name =
        std::string(names[static_cast<std::size_t>(listener.protocol)]) + "-" + std::to_string(listener.port);
  }
}

std::optional<std::string> file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void read_password(Loaded& loaded) {
  auto& smarthost = loaded.config.delivery.smarthost;
  if (!smarthost || smarthost->password_file.empty()) return;
  const auto text = file_text(smarthost->password_file);
  if (!text) {
    const auto place = loaded.set_at.find("delivery.smarthost.password_file");
    loaded.problems.push_back({place == loaded.set_at.end() ? "configuration" : place->second,
                               "delivery.smarthost.password_file: cannot read " + smarthost->password_file});
    return;
  }
  smarthost->password = text->substr(0, text->find_first_of("\r\n"));
}

}  // namespace

Loaded parse(const std::vector<Source>& sources) {
  Loaded out;
  std::vector<toml::table> tables;
  Level level;
  parse_sources(sources, tables, level, out);
  const bool syntax_is_good = out.problems.empty();
  Reader reader(level, out);
  describe(out.config, reader);
  reader.finish();
  if (out.config.listeners.empty()) out.config.listeners = default_listeners();
  name_listeners(out.config);
  check(out.config, [&](const std::string& option, const std::string& text) {
    out.problems.push_back({place_of(out, option, sources), option + ": " + text});
  });
  // Behind a file that cannot be read as TOML, complaints about what is missing would only mislead.
  if (!syntax_is_good) {
    std::erase_if(out.problems, [](const Problem& p) { return p.text.find(" is missing: ") != std::string::npos; });
  }
  std::ranges::sort(out.problems, {}, [](const Problem& p) {
    const auto colon = p.where.rfind(':');
    const auto line = colon == std::string::npos ? std::nullopt : ascii::number(p.where.substr(colon + 1));
    return std::tuple(p.where.substr(0, line ? colon : std::string::npos), line.value_or(0), p.text);
  });
  return out;
}

Files read_files(const std::string& path) {
  Files out;
  const auto add = [&out](const std::string& file) {
    auto text = file_text(file);
    if (text) {
      out.sources.push_back({file, std::move(*text)});
    } else {
      out.unreadable.push_back({file, "cannot be read"});
    }
  };
  add(path);
  if (out.sources.empty()) return out;
  std::vector<std::filesystem::path> more;
  std::error_code none;
  const auto folder = std::filesystem::path(path).parent_path() / "conf.d";
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".toml") more.push_back(entry.path());
  }
  std::ranges::sort(more);
  for (const auto& file : more) add(file.string());
  return out;
}

Loaded load(const Files& files) {
  Loaded out;
  if (!files.sources.empty()) out = parse(files.sources);
  out.problems.insert(out.problems.end(), files.unreadable.begin(), files.unreadable.end());
  if (!files.sources.empty()) read_password(out);
  return out;
}

std::string to_string(const std::vector<Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += problem.where + ": " + problem.text + "\n";
  return out;
}

}  // namespace facteur::config
