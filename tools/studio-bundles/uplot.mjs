// What the studio's page uses of uPlot.
export { default } from "uplot";
