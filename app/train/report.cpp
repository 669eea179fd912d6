#include "app/train/report.hpp"

#include "app/numbers.hpp"
#include "app/page/page.hpp"
#include "app/train/progress.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace rheo::app::train {
namespace {

std::string exact(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string capital(std::string text) {
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::vector<float> column(const at::Tensor& values, std::int64_t which) {  // values [T, B, N]
  const at::Tensor one = values.select(1, which).to(at::kFloat).contiguous();
  return {one.data_ptr<float>(), one.data_ptr<float>() + one.numel()};
}

std::string task_name(const Recipe& recipe) { return recipe.task == "mnist" ? "MNIST" : "Randman"; }

std::string confusion(const Answers& answers) {
  std::size_t classes = 0;
  while (classes * classes < answers.confusion.size()) ++classes;
  if (classes > 20) return "";
  std::vector<std::vector<std::string>> rows{{"truth \\ answer"}};
  for (std::size_t c = 0; c < classes; ++c) rows[0].push_back(std::to_string(c));
  for (std::size_t truth = 0; truth < classes; ++truth) {
    rows.push_back({std::to_string(truth)});
    for (std::size_t said = 0; said < classes; ++said) {
      const auto count = answers.confusion[truth * classes + said];
      rows.back().push_back(count == 0 ? "\xC2\xB7" : std::to_string(count));
    }
  }
  return "<h2 id=\"confusion\">Which classes are mixed up</h2>\n" + page::grid(rows, "counts") +
         "\n<p>A row for each class, a column for each answer; the diagonal is right.</p>\n";
}

std::string firing_table(const RunReport& report) {
  std::vector<std::vector<std::string>> rows{
      {"layer", "neurons", "spikes per neuron and step", "silent neurons"}};
  for (const Firing& firing : report.firing) {
    rows.push_back(
        {firing.layer, std::to_string(firing.neurons), rounded(firing.rate), percent(firing.silent)});
  }
  return page::grid(rows);
}

std::string layer_table(const RunReport& report) {
  std::vector<std::vector<std::string>> rows{{"layer", "what", "shape", "parameters"}};
  for (const LayerRow& layer : report.layers) {
    rows.push_back(
        {layer.name, layer.what, layer.shape, layer.parameters == 0 ? "" : std::to_string(layer.parameters)});
  }
  return page::grid(rows);
}

std::string figure(const Figures& figures, const std::string& name, const std::string& caption) {
  const auto found = figures.find(name);
  return "<figure>" + page::plot(found == figures.end() ? "" : found->second) + "<figcaption>" +
         page::escaped(caption) + "</figcaption></figure>\n";
}

}  // namespace

Sample sample_of(const Watched& watched, const data::Batch& batch, const Recipe& recipe, std::int64_t which) {
  Sample sample{.steps = recipe.steps,
                .label = batch.y[which].item<std::int64_t>(),
                .prediction = watched.prediction[which].item<std::int64_t>()};
  if (recipe.task == "randman") sample.input = column(batch.x, which);
  sample.hidden = column(watched.recording.layers.front().second.spk, which);
  sample.output = column(watched.recording.last().spk, which);
  sample.mem = column(watched.recording.last().mem, which);
  return sample;
}

std::string net_name(const Recipe& recipe) {
  return std::to_string(inputs_of(recipe)) + "-" + std::to_string(recipe.hidden) + "-" +
         std::to_string(classes_of(recipe));
}

std::string result_line(const RunReport& report) {
  const Answers& answers = report.answers;
  return capital(report.part) + " accuracy " + percent(answers.accuracy) + ": " +
         std::to_string(answers.correct) + " of " + std::to_string(answers.index.size()) + " right";
}

std::string metrics_csv(const std::vector<rheo::train::Metrics>& history) {
  std::string text = "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n";
  for (const auto& m : history) {
    text += std::to_string(m.epoch) + "," + exact(m.learning_rate) + "," + exact(m.train_loss) + "," +
            exact(m.train_accuracy) + "," + (m.validation_loss ? exact(*m.validation_loss) : "") + "," +
            (m.validation_accuracy ? exact(*m.validation_accuracy) : "") + "\n";
  }
  return text;
}

std::string result_json(const RunReport& report) {
  nlohmann::ordered_json json;
  json["task"] = report.recipe.task;
  json["recipe"] = report.recipe.recipe;
  json["epochs"] = report.history.size();
  json["part"] = report.part;
  json["samples"] = report.answers.index.size();
  json["correct"] = report.answers.correct;
  json["accuracy"] = report.answers.accuracy;
  json["loss"] = report.answers.loss;
  json["firing"] = nlohmann::ordered_json::array();
  for (const Firing& firing : report.firing) {
    json["firing"].push_back({{"layer", firing.layer},
                              {"neurons", firing.neurons},
                              {"spikes_per_neuron_and_step", firing.rate},
                              {"silent", firing.silent}});
  }
  return json.dump(2) + "\n";
}

std::string page(const RunReport& report, const Figures& figures) {
  const Recipe& recipe = report.recipe;
  const std::string title = task_name(recipe) + " with spikes, " + net_name(recipe);
  const std::string classes = confusion(report.answers);
  std::string html = page::begin(title);
  html +=
      "<header><div>\n<h1>" + page::escaped(title) + "</h1>\n<p class=\"lede\">" +
      page::escaped(result_line(report)) + " after " + std::to_string(report.history.size()) +
      (report.history.size() == 1 ? " epoch" : " epochs") + ".</p>\n<nav><a href=\"#curves\">Curves</a>" +
      "<a href=\"#sample\">One sample</a><a href=\"#firing\">Firing</a>" +
      (classes.empty() ? "" : "<a href=\"#confusion\">Classes</a>") +
      "<a href=\"#network\">Network</a><a href=\"#recipe\">Recipe</a><a href=\"#again\">Again</a></nav>\n" +
      "</div></header>\n<main>\n";

  html += "<h2 id=\"curves\">Learning curves</h2>\n<div class=\"pair\">\n";
  html += figure(figures, "loss", "Mean over the samples of an epoch, while the network learned.");
  html += figure(figures, "accuracy",
                 "The same samples, and those held out for validation where there are some.");
  html += "</div>\n";

  const Sample& sample = report.sample;
  html += "<h2 id=\"sample\">One sample</h2>\n";
  html += figure(figures, "raster",
                 "A " + report.part + " sample of class " + std::to_string(sample.label) +
                     ", answered with " + std::to_string(sample.prediction) + ". A mark is a spike" +
                     (recipe.hidden > 200 ? "; the first 200 hidden neurons." : "."));
  html +=
      "<h2 id=\"firing\">Firing rates</h2>\n" +
      figure(figures, "firing", "Mean over neurons and samples, at each step.") + firing_table(report) +
      "\n<p>Counted on " + std::to_string(report.watched) + " " + report.part + " samples." +
      (recipe.readout_reset == "none" ? " The output layer is read by its membrane and does not fire." : "") +
      "</p>\n";
  html += classes;
  html += "<h2 id=\"network\">Network</h2>\n" + layer_table(report) + "\n";

  std::vector<std::pair<std::string, std::string>> rows{{"task", recipe.task}, {"recipe", recipe.recipe}};
  for (const Field* field : fields_of(recipe.task)) {
    rows.emplace_back(field->name, to_text(get_field(recipe, *field)));
  }
  html += "<h2 id=\"recipe\">Recipe</h2>\n" + page::table(rows) + "\n";
  rows = {{"data", report.data}};
  for (const auto& [name, value] : report.environment) rows.emplace_back(name, value);
  html +=
      "<h2 id=\"again\">Again</h2>\n<pre><code>" + page::escaped(report.again) + "</code></pre>\n" +
      "<p>The same command gives the same numbers on the same machine with as many threads.</p>\n" +
      page::table(rows) + "\n<footer>Made by Rheobase " + page::escaped(report.version) +
      ". Beside this page: checkpoint.safetensors, config.toml, metrics.csv, timing.csv, result.json and the "
      "figures.</footer>\n</main>\n";
  return html += page::end;
}

}  // namespace rheo::app::train
