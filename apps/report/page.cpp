#include "apps/report/page.h"

#include "apps/report/html.h"

namespace tailseg {
namespace {

// Okabe and Ito's colours, which stay apart for colour-blind readers. Their blue is too dark for a dark page.
constexpr const char* kRunColours[] = {"var(--blue)", "#d55e00", "#009e73", "#cc79a7",
                                       "#e69f00",     "#56b4e9", "#7a5195", "#777777"};
constexpr const char* kDashes[] = {"none", "7 3", "2 3", "10 3 2 3", "4 2", "1 2"};

constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--ink:#1c2126;--soft:#67707a;--rule:#e2e6ea;--page:#fff;--box:#f5f7f9;--blue:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa4ae;--rule:#353c43;--page:#16191d;--box:#1f2429;--blue:#3c9fe6}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1020px;margin:0 auto;padding:16px}
h1{font-size:24px;margin:8px 0}h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid var(--rule)}h3{font-size:16px;margin:24px 0 4px}
p{margin:4px 0 8px}.note{color:var(--soft);border-left:3px solid var(--rule);padding-left:8px}code{background:var(--box);padding:1px 4px}
.legend{position:sticky;top:0;background:var(--page);padding:6px 0;border-bottom:1px solid var(--rule);z-index:2}
.legend label{margin-right:14px;white-space:nowrap}.legend svg{width:34px;height:12px;vertical-align:middle}
.plot{width:100%;height:auto;background:var(--box);border-radius:6px;margin:6px 0}
.grid-of-plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(440px,100%),1fr));gap:8px}
@media(max-width:640px){body>.plot{--tick:16px;--title:18px}}
.plot .title{font-size:var(--title,13px);font-weight:600;fill:var(--ink)}.plot .tick{font-size:var(--tick,11px);fill:var(--soft)}.mid{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--rule);stroke-width:1;fill:none}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.mean{stroke-width:2.4;opacity:.75}.raw{stroke-width:1;opacity:.3}
use{opacity:.75}use:hover,rect:hover{opacity:1;stroke:var(--ink);stroke-width:1.5}
.fr{fill:#d55e00}.fc{fill:#009e73}.ff{fill:var(--blue)}.fx{fill:#8a929a}
.line.fr{fill:none;stroke:#d55e00}.line.fc{fill:none;stroke:#009e73}.line.ff{fill:none;stroke:var(--blue)}
.bars rect:hover{stroke:none}.whisker{stroke:var(--ink);stroke-width:1.6}tr.published td{color:var(--soft);font-size:13px}
td.fr{color:#d55e00}td.fc{color:#009e73}td.ff{color:var(--blue)}
.g0{fill:#8c510a}.g1{fill:#bf812d}.g2{fill:#dfc27d}.g3{fill:#f6e8c3}.g4{fill:#d9d9d9}.g5{fill:#c7eae5}.g6{fill:#80cdc1}.g7{fill:#35978f}.g8{fill:#01665e}
.scale svg{width:14px;height:12px;vertical-align:middle}
.scroll{overflow:auto;max-height:560px}.whole{max-height:none}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid var(--rule)}th:first-child,td:first-child{text-align:left}
th{position:sticky;top:0;background:var(--box)}.sortable th{cursor:pointer}
#tip{position:fixed;display:none;pointer-events:none;background:var(--ink);color:var(--page);padding:4px 8px;border-radius:4px;font-size:13px;white-space:pre;z-index:3}
)css";

// Hover: points and bars name their class; over curves, every run's value at the pointer's step.
constexpr const char* kScript = R"js(
const data=JSON.parse(document.getElementById('data').textContent),tip=document.getElementById('tip'),body=document.body;
const groups={r:'rare',c:'common',f:'frequent'};
function short(v){return String(+v.toPrecision(4))}
function axis(text){const p=text.split(' '),[a,b,l,h]=p.slice(0,4).map(Number);
 return p[4]?v=>Math.pow(10,Math.log10(l)+(v-a)/(b-a)*(Math.log10(h)-Math.log10(l))):v=>l+(v-a)/(b-a)*(h-l)}
function pointText(mark){const c=data.classes[mark.dataset.c],run=mark.closest('[data-r]');
 return c[0]+'\n'+(c[2]<0?'':c[2]+' training instances ')+(groups[c[1]]?'('+groups[c[1]]+')':'')+'\n'+
  (run?data.runs[run.dataset.r]+': ':'')+mark.dataset.v}
function curveText(svg,event){const at=new DOMPoint(event.clientX,event.clientY).matrixTransform(svg.getScreenCTM().inverse());
 const toX=axis(svg.dataset.x),toY=axis(svg.dataset.y);let out='',step=null;
 for(const path of svg.querySelectorAll('path.line:not(.raw)')){if(getComputedStyle(path).display==='none')continue;
  let best=null;for(const p of path.getAttribute('d').split(/[ML]/)){if(!p)continue;const [x,y]=p.split(' ').map(Number);
   if(!best||Math.abs(x-at.x)<Math.abs(best[0]-at.x))best=[x,y]}
  if(best){if(step===null)step=short(toX(best[0]));out+='\n'+path.dataset.n+': '+short(toY(best[1]))}}
 return step===null?'':step+out}
document.addEventListener('mousemove',event=>{const mark=event.target.closest('[data-c]'),svg=event.target.closest('svg.plot');
 let text=mark?pointText(mark):svg?curveText(svg,event):'';
 tip.textContent=text;tip.style.display=text?'block':'none';
 tip.style.left=Math.min(event.clientX+14,innerWidth-tip.offsetWidth-8)+'px';tip.style.top=Math.min(event.clientY+14,innerHeight-tip.offsetHeight-8)+'px'});
document.addEventListener('change',event=>{const hide=event.target.dataset.hide;if(hide)body.classList.toggle('hide-'+hide,!event.target.checked)});
document.addEventListener('click',event=>{const head=event.target.closest('table.sortable th');if(!head)return;
 const rows=head.closest('table').tBodies[0],at=head.cellIndex,down=head.dataset.down!=='1';head.dataset.down=down?'1':'0';
 const key=row=>{const c=row.cells[at];return c.dataset.v!==undefined?+c.dataset.v:c.textContent};
 [...rows.rows].sort((a,b)=>{const x=key(a),y=key(b);if(x===y)return 0;if(x==='')return 1;if(y==='')return -1;
  const less=typeof x==='number'&&typeof y==='number'?x<y:String(x).localeCompare(String(y))>0;return less===down?1:-1}).forEach(row=>rows.append(row))});
)js";

std::string run_styles(size_t runs) {
  std::string out;
  for (size_t i = 0; i < runs; ++i) {
    const std::string number = std::to_string(i);
    out += ".line.run-" + number + "{stroke:" + kRunColours[i % std::size(kRunColours)] +
           ";stroke-dasharray:" + (i < std::size(kRunColours) ? "none" : kDashes[1 + i / std::size(kRunColours) % 5]) +
           "}.hide-" + number + " .run-" + number + "{display:none}\n";
  }
  for (size_t i = 0; i < std::size(kDashes); ++i) {
    out += ".line.dash-" + std::to_string(i) + "{stroke-dasharray:" + kDashes[i] + "}\n";
  }
  // After the runs' own colours: a curve of a frequency group has the group's.
  out += ".line[class].fr.fr{stroke:#d55e00}.line[class].fc.fc{stroke:#009e73}.line[class].ff.ff{stroke:var(--blue)}\n";
  for (const char* group : {"r", "c", "f"}) {
    out += std::string(".hide-") + group + " svg .f" + group + "{display:none}\n";
  }
  return out;
}

}  // namespace

std::string page_head(const std::string& title, size_t runs) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\"><title>" +
         html_text(title) + "</title>\n<style>" + kStyle + run_styles(runs) + "</style></head>\n<body>\n";
}

std::string page_marks() {
  return "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs>"
         "<circle id=\"m0\" r=\"3.6\"/><rect id=\"m1\" x=\"-3.2\" y=\"-3.2\" width=\"6.4\" height=\"6.4\"/>"
         "<path id=\"m2\" d=\"M0-4.4L4 3H-4Z\"/><path id=\"m3\" d=\"M0-4.6L4.6 0 0 4.6-4.6 0Z\"/>"
         "<path id=\"m4\" d=\"M0 4.4L4-3H-4Z\"/>"
         "<path id=\"m5\" d=\"M-1.2-4.4H1.2V-1.2H4.4V1.2H1.2V4.4H-1.2V1.2H-4.4V-1.2H-1.2Z\"/></defs></svg>\n";
}

std::string page_legend(const ReportData& data) {
  std::string out = "<div class=\"legend\">";
  for (size_t i = 0; i < data.runs.size(); ++i) {
    const std::string number = std::to_string(i);
    out += "<label><input type=\"checkbox\" checked data-hide=\"" + number +
           "\"> <svg viewBox=\"0 0 34 12\"><path class=\"line run-" + number + "\" d=\"M0 6H34\"/><use href=\"#m" +
           std::to_string(i % 6) + "\" x=\"17\" y=\"6\" class=\"fx\"/></svg> " + html_text(data.runs[i].label) +
           "</label>";
  }
  for (const char group : {'r', 'c', 'f'}) {
    out += std::string("<label><input type=\"checkbox\" checked data-hide=\"") + group +
           "\"> <svg viewBox=\"0 0 12 12\" style=\"width:12px\"><rect width=\"12\" height=\"12\" class=\"f" + group +
           "\"/></svg> " + frequency_name(group) + "</label>";
  }
  return out + "</div>\n";
}

std::string page_script(const ReportData& data) {
  std::string json = "{\"runs\":[";
  for (size_t i = 0; i < data.runs.size(); ++i) json += (i ? "," : "") + script_string(data.runs[i].label);
  json += "],\"classes\":[";
  for (size_t i = 0; i < data.classes.size(); ++i) {
    const ReportRow& row = data.classes[i];
    json += (i ? ",[" : "[") + script_string(row.name) + ",\"" + (row.frequency ? std::string(1, row.frequency) : "") +
            "\"," + std::to_string(row.train_instances.value_or(-1)) + "]";
  }
  return "<div id=\"tip\"></div>\n<script type=\"application/json\" id=\"data\">" + json + "]}</script>\n<script>" +
         kScript + "</script>\n";
}

}  // namespace tailseg
