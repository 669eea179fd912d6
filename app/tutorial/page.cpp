#include "app/tutorial/page.hpp"

#include "app/page/page.hpp"

#include <cstddef>
#include <stdexcept>
#include <utility>

namespace rheo::app::tutorial {
namespace {

/// Code with its comments set apart.
std::string code_block(std::string_view code) {
  std::string html = "<pre><code>";
  while (!code.empty()) {
    const std::size_t end = code.find('\n');
    const std::string_view line = code.substr(0, end);
    code = end == std::string_view::npos ? "" : code.substr(end + 1);
    const std::size_t comment = line.find("//");
    html += page::escaped(line.substr(0, comment));
    if (comment != std::string_view::npos) {
      html += "<i>" + page::escaped(line.substr(comment)) + "</i>";
    }
    if (!code.empty()) html += '\n';
  }
  return html + "</code></pre>";
}

std::string table(const Section& section) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Row& row : section.rows) rows.emplace_back(row.quantity, row.value);
  return page::table(rows);
}

std::string figure(const PageParts& parts, const std::string& name) {
  const auto found = parts.svg.find(name);
  return page::plot(found == parts.svg.end() ? "" : found->second);
}

std::string fill(const PageParts& parts, const std::string& what) {
  const std::size_t blank = what.find(' ');
  const std::string kind = what.substr(0, blank);
  const std::string name = blank == std::string::npos ? "" : what.substr(blank + 1);
  if (kind == "code") return code_block(code_between_marks(experiments_source, name));
  if (kind == "figure") return figure(parts, name);
  if (kind == "table") {
    for (const Section& section : parts.sections) {
      if (section.id == name) return table(section);
    }
  }
  if (kind == "costs") {
    for (const Section& section : parts.sections) {
      if (section.id == name)
        return page::grid(with_times(section.grid, parts.nanoseconds), "counts");
    }
  }
  if (what == "begin") return page::begin("The leaky integrate-and-fire neuron");
  if (what == "end") return std::string(page::end);
  if (what == "seed") return std::to_string(parts.seed);
  if (what == "input spikes") return std::to_string(parts.input_spikes);
  if (what == "version") return page::escaped(parts.version);
  throw std::logic_error("the page's template asks for an unknown part: " + what);
}

}  // namespace

std::string code_between_marks(std::string_view source, std::string_view name) {
  const std::string mark = "// [" + std::string(name) + "]\n";
  const std::size_t begin = source.find(mark);
  const std::size_t end = source.find("\n// [end]", begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) {
    throw std::logic_error("no code marked as " + std::string(name));
  }
  return std::string(source.substr(begin + mark.size(), end - begin - mark.size()));
}

std::string page(const PageParts& parts) {
  std::string html;
  std::string_view rest = page_template;
  for (std::size_t open = 0; (open = rest.find("{{")) != std::string_view::npos;) {
    const std::size_t close = rest.find("}}", open);
    if (close == std::string_view::npos)
      throw std::logic_error("the page's template has an open {{");
    html += rest.substr(0, open);
    html += fill(parts, std::string(rest.substr(open + 2, close - open - 2)));
    rest = rest.substr(close + 2);
  }
  return html += rest;
}

}  // namespace rheo::app::tutorial
